// Starts the application and prints its URL.

import { createServer } from 'node:http'

import { createApp } from './app.js'
import { readSettings, SettingsError, usage } from './settings.js'

let settings
try {
  settings = readSettings(process.argv.slice(2), process.env)
} catch (error) {
  if (!(error instanceof SettingsError)) throw error
  console.error(`error: ${error.message}\n\n${usage}`)
  process.exit(2)
}
if (settings.help) {
  console.log(usage)
  process.exit(0)
}

const server = createServer()
server.on('error', (error) => {
  console.error(`error: cannot listen on 127.0.0.1:${settings.port}: ${error.message}`)
  process.exit(1)
})
// Loopback only, since the example uses plain HTTP.
server.listen(settings.port, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${server.address().port}`
  server.on('request', createApp({ ...settings, url }))
  console.log(`listening on ${url}`)
})
