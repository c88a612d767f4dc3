# The gateway. From the root of the repository:
#   docker build -f deploy/images/gateway.Dockerfile -t mediafleet-gateway .
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /build
COPY bootstrap.lock deploy/images/build.lock deploy/images/gateway.lock ./
# What builds stays behind: /app gets neither pip nor hatchling.
RUN python -m venv /tools \
    && python -m venv --without-pip /app \
    && /tools/bin/python -m pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: \
        -r bootstrap.lock -r build.lock \
    && /tools/bin/python -m pip --python /app/bin/python install --no-cache-dir --no-deps --require-hashes \
        --only-binary :all: -r gateway.lock
COPY sdk sdk
COPY core core
COPY services/gateway gateway
RUN /tools/bin/python -m pip wheel --no-cache-dir --no-deps --no-index --no-build-isolation -w wheels \
        ./sdk ./core ./gateway \
    && /tools/bin/python -m pip --python /app/bin/python install --no-cache-dir --no-deps --no-index wheels/*.whl \
    && /tools/bin/python -m pip --python /app/bin/python check

FROM ${BASE}
LABEL org.opencontainers.image.title="mediafleet-gateway" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /app /app
# For who looks after a pod: kubectl exec ... -- mediafleet doctor.
ENV PATH=/app/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 50051 9090
ENTRYPOINT ["/app/bin/python", "-m", "mediafleet_gateway"]
