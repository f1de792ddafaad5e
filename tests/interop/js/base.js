// What both roles give to createLibp2p: one transport for TCP, one security protocol, one muxer.

import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'

export async function base (options) {
  return {
    privateKey: await generateKeyPairFromSeed('Ed25519', Buffer.from(options.key, 'hex')),
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() }
  }
}
