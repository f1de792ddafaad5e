import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { createLibp2p } from 'libp2p'
import { base } from './base.js'
import { commands, report } from './report.js'

export async function runRelay (options) {
  const settings = await base(options)
  const bytes = Number(options['limit-bytes'])
  const limits = {
    defaultDataLimit: BigInt(bytes),
    defaultDurationLimit: Number(options['limit-seconds']) * 1000
  }
  const reservations = bytes === 0 ? { applyDefaultLimit: false } : limits
  const node = await createLibp2p({
    ...settings,
    addresses: { listen: [options.listen], announce: [options.external] },
    services: { ...settings.services, relay: circuitRelayServer({ reservations }) }
  })
  report('ready', { id: node.peerId.toString() })
  await commands(async () => {})
}
