// js-libp2p 3 uses Promise.withResolvers, which Node 20 does not have.

Promise.withResolvers ??= function () {
  const made = {}
  made.promise = new this((resolve, reject) => Object.assign(made, { resolve, reject }))
  return made
}
