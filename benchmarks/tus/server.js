// @tus/server on @tus/s3-store, as its README sets it up: node server.js PORT S3_URL
import { S3Store } from '@tus/s3-store'
import { Server } from '@tus/server'

const [port, endpoint] = process.argv.slice(2)
const datastore = new S3Store({
  partSize: 8 * 1024 * 1024,
  s3ClientConfig: {
    bucket: 'bench',
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
  },
})
new Server({ path: '/files', datastore }).listen({ host: '127.0.0.1', port: Number(port) })
