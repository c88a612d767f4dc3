# Workers of every kind, and housekeeping. From the root of the repository:
#   docker build -f deploy/images/workers.Dockerfile -t mediafleet-workers .
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /build
COPY bootstrap.lock deploy/images/build.lock deploy/images/workers.lock ./
# What builds stays behind: /app gets neither pip nor hatchling.
RUN python -m venv /tools \
    && python -m venv --without-pip /app \
    && /tools/bin/python -m pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: \
        -r bootstrap.lock -r build.lock \
    && /tools/bin/python -m pip --python /app/bin/python install --no-cache-dir --no-deps --require-hashes \
        --only-binary :all: -r workers.lock
COPY sdk sdk
COPY core core
COPY workers workers
RUN /tools/bin/python -m pip wheel --no-cache-dir --no-deps --no-index --no-build-isolation -w wheels \
        ./sdk ./core ./workers \
    && /tools/bin/python -m pip --python /app/bin/python install --no-cache-dir --no-deps --no-index wheels/*.whl \
    && /tools/bin/python -m pip --python /app/bin/python check

FROM ${BASE}
LABEL org.opencontainers.image.title="mediafleet-workers" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /app /app
# For who looks after a pod: kubectl exec ... -- mediafleet doctor.
ENV PATH=/app/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# The sandbox needs the system's libseccomp, which Debian has anyway; an image without it must not be built.
RUN ["/app/bin/python", "-c", "import landlock, pyseccomp"]
USER 65532:65532
EXPOSE 9090
ENTRYPOINT ["/app/bin/python", "-m", "mediafleet_workers"]
