import type { TlsOptions as NodeTlsOptions } from 'node:tls'
import { type Check, type Checks, wrongOptions } from '../declare/options.js'
import { lazily } from '../pipeline/lazily.js'

export const nodeTls = lazily<typeof import('node:tls')>('node:tls')

type Given = Required<NodeTlsOptions>

/** The certificate of a listener, and how it is used: options of Node's own, passed on as they are. */
export interface TlsOptions {
  /** The private key of the certificate, in PEM: its text, not its path. @default that of `pfx` */
  readonly key?: Given['key']
  /** The certificate, in PEM, with those that vouch for it behind it. @default that of `pfx` */
  readonly cert?: Given['cert']
  /** Key and certificate in one (PKCS #12). @default none */
  readonly pfx?: Given['pfx']
  /** What `key` or `pfx` is encrypted with. @default none */
  readonly passphrase?: string
  /** Who is trusted to vouch for the certificates of peers, in PEM. @default those that Node.js trusts */
  readonly ca?: Given['ca']
  /** Certificates that were taken back, in PEM. @default none */
  readonly crl?: Given['crl']
  /** The oldest version that is spoken. @default 'TLSv1.2' */
  readonly minVersion?: Given['minVersion']
  /** The newest version that is spoken. @default 'TLSv1.3' */
  readonly maxVersion?: Given['maxVersion']
  /** Cipher suites, the preferred one first. @default those of Node.js */
  readonly ciphers?: string
  /** Whether peers are asked for a certificate. @default false */
  readonly requestCert?: boolean
  /** Whether peers are refused whose certificate nobody trusted vouches for, where one is asked for. @default true */
  readonly rejectUnauthorized?: boolean
  /** Chooses a certificate by the name that a peer asks for (RFC 6066 §3): Node's own callback. @default none */
  readonly SNICallback?: Given['SNICallback']
}

const accept =
  (expected: string, accepts: (value: unknown) => boolean): Check =>
  value =>
    accepts(value) ? undefined : expected

const isText = (value: unknown) => typeof value === 'string'
const pem = accept('PEM, as a string or a Buffer', value => isText(value) || typeof value === 'object')
const version = accept("'TLSv1.2' or 'TLSv1.3'", value => value === 'TLSv1.2' || value === 'TLSv1.3')
const text = accept('a string', isText)
const flag = accept('true or false', value => typeof value === 'boolean')

const known: Checks<TlsOptions> = {
  key: pem,
  cert: pem,
  pfx: accept('a Buffer', value => isText(value) || typeof value === 'object'),
  passphrase: text,
  ca: pem,
  crl: pem,
  minVersion: version,
  maxVersion: version,
  ciphers: text,
  requestCert: flag,
  rejectUnauthorized: flag,
  SNICallback: accept('a function', value => typeof value === 'function'),
}

/** The least that is spoken, where the options do not say. */
export const tlsDefaults = { minVersion: 'TLSv1.2' } as const

/** What is wrong with the options of a listener that speaks TLS. */
export function tlsProblems(where: string, tls: TlsOptions): string[] {
  const wrong = wrongOptions(`${where}: tls`, tls, known)
  if (wrong.length > 0) return wrong
  const { key, cert, pfx, SNICallback } = tls
  if (pfx === undefined && SNICallback === undefined) {
    if (key === undefined) return [`${where}: tls has no key: give the private key of its certificate, in PEM`]
    if (cert === undefined) return [`${where}: tls has no cert: give the certificate of its key, in PEM`]
  }
  try {
    nodeTls().createSecureContext({ ...tlsDefaults, ...tls })
    return []
  } catch (error) {
    return [`${where}: ${describe(error as NodeJS.ErrnoException)}`]
  }
}

function describe({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH')
    return 'tls.key does not fit tls.cert: give the private key that this certificate was made for'
  const cure = 'give the text of PEM files, not their paths, and the passphrase that they are encrypted with'
  return `tls cannot be used (${message}): ${cure}`
}
