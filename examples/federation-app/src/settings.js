// Reads the settings from arguments and the environment.

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

export const usage = `\
usage: node src/main.js --bridge URL --client-id ID [options]

  --bridge URL               the tenant at the bridge: http://127.0.0.1:8080/v1/tenants/acme  [BRIDGE]
  --client-id ID             this application's client at the identity provider               [CLIENT_ID]
  --client-secret-file FILE  the client's secret, if it has one   [CLIENT_SECRET_FILE, CLIENT_SECRET]
  --issuer URL               the identity provider, if the bridge does not publish it         [ISSUER]
  --scope SCOPES             the scopes to request, if the bridge does not publish them       [SCOPE]
  --port PORT                the port on 127.0.0.1; default 3000, 0 selects a free port       [PORT]`

/** A mistake in the settings. */
export class SettingsError extends Error {}

export function readSettings(args, environment) {
  const given = { ...fromEnvironment(environment), ...fromArguments(args) }
  if (given.help) return given
  const settings = {
    bridge: url('--bridge', required('--bridge', given.bridge)),
    clientId: required('--client-id', given['client-id']),
    clientSecret: secret(given['client-secret-file'], environment.CLIENT_SECRET),
    issuer: given.issuer && url('--issuer', given.issuer),
    scope: given.scope,
    port: port(given.port ?? '3000'),
  }
  return settings
}

function fromArguments(args) {
  const text = { type: 'string' }
  const options = {
    bridge: text,
    'client-id': text,
    'client-secret-file': text,
    issuer: text,
    scope: text,
    port: text,
    help: { type: 'boolean' },
  }
  try {
    return parseArgs({ args, options }).values
  } catch (error) {
    throw new SettingsError(error.message)
  }
}

function fromEnvironment(environment) {
  const names = ['bridge', 'client-id', 'client-secret-file', 'issuer', 'scope', 'port']
  const variable = (name) => environment[name.toUpperCase().replaceAll('-', '_')]
  return Object.fromEntries(names.filter(variable).map((name) => [name, variable(name)]))
}

function required(name, value) {
  if (!value) throw new SettingsError(`\`${name}\` is missing`)
  return value
}

function url(name, value) {
  if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol)) {
    throw new SettingsError(`\`${name}\` is not a URL: \`${value}\``)
  }
  return value.replace(/\/+$/, '')
}

function secret(file, value) {
  if (!file) return value
  if (value) throw new SettingsError('the client secret is given twice: as a file and as a value')
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw new SettingsError(`cannot read the client secret: ${error.message}`)
  }
}

function port(value) {
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65535) throw new SettingsError(`\`--port\` is not a port: \`${value}\``)
  return Number(value)
}
