// SPDX-License-Identifier: Apache-2.0

package straceback

import _ "embed" // for the schema

// CallSchema is the JSON Schema of a call's line: of what AppendJSON appends.
//
//go:embed call.schema.json
var CallSchema string

// callVersion is the version of CallSchema. It changes if a name or the meaning of one does.
const callVersion = 2
