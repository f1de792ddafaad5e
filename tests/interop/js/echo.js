// Both ends of an echo.

import { createHash, randomBytes } from 'node:crypto'
import { report } from './report.js'

// Both ids that Kaspa peers use.
export const STREAM_PROTOCOLS = ['/kaspad/transport/1.0.0', '/kaspa/p2p/bridge/1.0']

const CHUNK = 64 * 1024

// Sends everything back until the remote ends its side.
export async function serveEcho (stream) {
  try {
    for await (const chunk of stream) {
      await send(stream, chunk)
    }
    await stream.close()
  } catch (error) {
    stream.abort(error)
  }
}

// Sends random bytes and compares what comes back.
export async function check (stream, path, bytes) {
  const start = performance.now()
  let received = 0
  try {
    const [sent, back] = await Promise.all([
      sendRandom(stream, bytes),
      (async () => {
        const hash = createHash('sha256')
        for await (const chunk of stream) {
          hash.update(chunk.subarray())
          received += chunk.byteLength
        }
        return hash.digest('hex')
      })()
    ])
    const seconds = (performance.now() - start) / 1000
    report('echoed', { path, bytes: received, same: sent === back, seconds })
  } catch (error) {
    stream.abort(error)
    throw new Error(`after ${received} bytes: ${error.message}`)
  }
}

async function sendRandom (stream, bytes) {
  const hash = createHash('sha256')
  for (let left = bytes; left > 0; left -= CHUNK) {
    const chunk = randomBytes(Math.min(left, CHUNK))
    hash.update(chunk)
    await send(stream, chunk)
  }
  await stream.close()
  return hash.digest('hex')
}

async function send (stream, chunk) {
  if (!stream.send(chunk)) {
    await new Promise((resolve, reject) => {
      stream.addEventListener('drain', resolve, { once: true })
      stream.addEventListener('close', () => reject(new Error('the stream ended')), { once: true })
    })
  }
}
