// SPDX-License-Identifier: Apache-2.0

// Package man holds the manual pages, for tracectl to install them.
package man

import "embed"

// Pages are the pages of section 8, by their file names.
//
//go:embed *.8
var Pages embed.FS
