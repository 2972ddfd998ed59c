// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// errType is returned for a value of the wrong type. The parser's own errors for other keys begin with the same words.
var errType = errors.New("incompatible types")

// explain says in the file's words what the TOML parser refuses: "line 3: adopt must be true or false". The parser
// gives line and key only in an error's text.
func explain(err error) error {
	text, ok := strings.CutPrefix(err.Error(), "toml: line ")
	if !ok {
		return err
	}
	end := max(0, strings.IndexAny(text, " :"))
	line, why, key := text[:end], text[end:], ""
	if rest, ok := strings.CutPrefix(why, " (last key "); ok {
		if quoted, err := strconv.QuotedPrefix(rest); err == nil {
			key, _ = strconv.Unquote(quoted)
			why = strings.TrimPrefix(rest[len(quoted):], ")")
		}
	}
	why = strings.TrimSuffix(strings.TrimPrefix(why, ": "), ".")
	if strings.HasPrefix(why, errType.Error()) || strings.HasPrefix(why, "type mismatch") {
		why = key + " must be " + wanted(key)
	} else if number, ok := strings.CutSuffix(why, " is out of range for int64"); ok {
		why = key + " is too large: " + number
	} else if rest, ok := strings.CutPrefix(why, "size "); ok {
		why = key + " " + rest
	}
	return fmt.Errorf("line %s: %s", line, why)
}

// wanted says what the value of a key must be.
func wanted(key string) string {
	table, name, inTable := strings.Cut(key, ".")
	switch {
	case key == "adopt" || key == "record-sandboxes" || key == "redact.builtin":
		return "true or false"
	case key == "runtime":
		return "a string or a list of strings"
	case !inTable && (slices.Contains(tables, table) || table == "runtimes"):
		return "a table"
	case table == "labels", table == "redact", table == "contents" && name != "default" && name != "annotation",
		table == "archive" && (name == "status" || name == "namespaces"):
		return "a list of strings"
	case table == "pool" && (name == "rings" || name == "identities"),
		table == "archive" && (name == "max-files" || name == "max-days" || name == "per-hour"):
		return "a whole number"
	case table == "pool", table == "archive" && name == "max-bytes":
		return `a number of bytes such as 4096, "256KiB" or "8MiB"`
	}
	return "a string"
}
