// SPDX-License-Identifier: Apache-2.0

package redact

// names are the names of settings that hold secrets, as in DB_PASSWORD=x, "apiKey": "x", --token x and ?sig=x.
const names = `(?:passw(?:or)?d|passphrase|(?-i:[Pp]wd)|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?|` +
	`client[_-]?secret|connection[_-]?string|account[_-]?key|signature)`

// builtin are the patterns that a table has without configuration. The beginning of a secret is one, too, since
// recordings cut what they have.
var builtin = []string{
	// NAME=VALUE, NAME: VALUE, "NAME": "VALUE", in text, JSON, YAML, URLs and environments.
	`(?i)` + names + `[a-z0-9_]*\\?["']?[ \t]*[=:][ \t]*(?:\\?"([^"\x00\r\n\\]+)|'([^'\x00\r\n]+)|([^\s"'&;,\x00\\*][^\s"'&;,\x00\\]*))`,
	// --NAME VALUE, as one text or as arguments of a program.
	`(?i)-` + names + `[\x00 ]+([^\s\x00-][^\s\x00]*)`,
	// Headers of HTTP.
	`(?i)\b(?:proxy-)?authorization["']?[ \t]*[:=][ \t]*["']?(?:(?:basic|bearer|token|digest|negotiate|apikey)[ \t]+)?([^"'\r\n\x00]+)`,
	`(?i)\bbearer[ \t]+([a-z0-9._~+/=-]{8,})`,
	`(?i)\bcookie["']?[ \t]*:[ \t]*([^\r\n\x00]+)`,
	`(?i)\bx-(?:api-key|auth-token|amz-security-token|vault-token)["']?[ \t]*[:=][ \t]*["']?([^"'\r\n\x00]+)`,
	// scheme://user:password@host.
	`://[^/\s:@"']*:([^/\s@"']+)@`,
	// Private keys in PEM, also with \n in JSON.
	`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(.*?)(?:-----END|$)`,
	// JSON Web Tokens.
	`\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,2}`,
	// Keys of AWS, GitHub, GitLab, Slack, Google, Stripe, npm.
	`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`,
	`\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|AIza|npm_|[sr]k_live_)[A-Za-z0-9_-]{10,}`,
	// The command AUTH of Redis, as clients send it: one or two arguments.
	`(?i)\bauth\r\n\$\d+\r\n([^\r\n]+)(?:\r\n\$\d+\r\n([^\r\n]+))?`,
}

// Builtin returns the patterns that a table has without configuration.
func Builtin() []string { return append([]string(nil), builtin...) }
