// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strings"
)

// kind tells what a value is.
type kind uint8

const (
	word   kind = iota // text: a number, a name, flags
	quoted             // text: bytes, without escapes
	group              // parts: the members of a struct, or the elements of an array
	called             // text: a name; parts: its arguments, as in htons(80)
	series             // parts that stand side by side, as in [CHLD TERM]
	change             // two parts: before and after a call
)

// value is what strace prints for an argument, or a part of it.
type value struct {
	kind    kind
	name    string // of a member
	text    string
	open    byte // of a group: '{' or '['
	cut     bool // "..." says that there is more
	inverse bool // a set is shown by what it lacks: ~[KILL STOP]
	note    string
	comment string
	parts   []*value
}

// deepest is how deep values may be nested.
const deepest = 32

// parser reads values in strace's form.
type parser struct {
	text  string
	at    int
	depth int
}

// parseArguments reads the arguments of a call, of which the text begins behind the opening parenthesis. It returns
// them, and the text behind the closing one. Unfinished is true if the text says that the call was never finished.
func parseArguments(text string) (args []*value, rest string, unfinished bool, err error) {
	const mark, resuming, end = "<unfinished ...>", "<... resuming interrupted ", " ...>"
	p := &parser{text: text}
	for {
		p.space()
		switch {
		case strings.HasPrefix(p.rest(), resuming) && strings.Contains(p.rest(), end):
			p.at += strings.Index(p.rest(), end) + len(end)
		case strings.HasPrefix(p.rest(), mark):
			p.at += len(mark)
			unfinished = true
		case p.peek() == ')':
			return args, p.text[p.at+1:], unfinished, nil
		case p.peek() == 0:
			return args, "", unfinished, errors.New("no closing parenthesis")
		case p.peek() == ',':
			p.at++
		default:
			v, err := p.value()
			if err != nil {
				return nil, "", false, err
			}
			args = append(args, v)
		}
	}
}

// parseValue reads a single value.
func parseValue(text string) (*value, error) {
	p := &parser{text: text}
	v, err := p.value()
	if err == nil && p.at < len(p.text) {
		err = fmt.Errorf("%q is left", p.rest())
	}
	return v, err
}

func (p *parser) rest() string { return p.text[p.at:] }

// peek returns the next byte, or 0 at the end.
func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *parser) space() {
	for p.peek() == ' ' {
		p.at++
	}
}

// value reads what stands between two commas: terms, of which each may be followed by a comment.
func (p *parser) value() (*value, error) {
	if p.depth++; p.depth > deepest {
		return nil, errors.New("values are nested too deep")
	}
	defer func() { p.depth-- }()
	name, comment := p.member(), ""
	var terms, before []*value
	isChange := false
	for {
		p.space()
		switch c := p.peek(); {
		case c == 0 || c == ',' || c == ')' || c == ']' || c == '}' || strings.HasPrefix(p.rest(), "<unfinished"):
			v := join(terms)
			if isChange {
				v = &value{kind: change, parts: []*value{join(before), v}}
			}
			v.name = name
			if comment != "" {
				v.comment = comment
			}
			return v, nil
		case strings.HasPrefix(p.rest(), "/*"):
			end := strings.Index(p.rest(), "*/")
			if end < 0 {
				return nil, errors.New("a comment does not end")
			}
			comment = strings.TrimSpace(p.text[p.at+2 : p.at+end])
			p.at += end + 2
		case strings.HasPrefix(p.rest(), "=>"):
			p.at += 2
			before, terms, isChange = terms, nil, true
		case strings.HasPrefix(p.rest(), "..."):
			p.at += 3
			if len(terms) == 0 {
				terms = append(terms, &value{kind: word, text: "...", cut: true})
			} else {
				terms[len(terms)-1].cut = true
			}
		default:
			v, err := p.term()
			if err != nil {
				return nil, err
			}
			terms = append(terms, v)
		}
	}
}

// join makes one value of several terms.
func join(terms []*value) *value {
	switch len(terms) {
	case 0:
		return &value{kind: word}
	case 1:
		return terms[0]
	}
	if isFlags(terms) { // 0xc |FAN_CLOEXEC
		v := &value{kind: word}
		for _, term := range terms {
			v.text += term.text
		}
		return v
	}
	return &value{kind: series, parts: terms}
}

// isFlags reports whether terms are a set of flags in which strace has put a space.
func isFlags(terms []*value) bool {
	for i, term := range terms {
		if term.kind != word || i > 0 && !strings.HasPrefix(term.text, "|") {
			return false
		}
	}
	return true
}

// member reads the name of a member and its equals sign, if there are any.
func (p *parser) member() string {
	end := p.at
	for end < len(p.text) && isName(p.text[end]) {
		end++
	}
	if end == p.at || !strings.HasPrefix(p.text[end:], "=") || strings.HasPrefix(p.text[end:], "=>") ||
		strings.HasPrefix(p.text[end:], "==") {
		return ""
	}
	name := p.text[p.at:end]
	p.at = end + 1
	return name
}

func isName(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// term reads a string, a group, or a word with what belongs to it.
func (p *parser) term() (*value, error) {
	switch p.peek() {
	case '"':
		return p.quoted()
	case '{', '[', '(':
		return p.group()
	case '~':
		if strings.HasPrefix(p.rest(), "~[") {
			p.at++
			v, err := p.group()
			if err == nil {
				v.inverse = true
			}
			return v, err
		}
	case '@':
		p.at++
		return &value{kind: word, text: "@"}, nil
	}
	start := p.at
	for ; p.at < len(p.text); p.at++ {
		if strings.HasPrefix(p.rest(), "<<") {
			p.at++
			continue
		}
		if strings.IndexByte(" ,\"{}[]()<", p.text[p.at]) >= 0 || strings.HasPrefix(p.rest(), "...") {
			break
		}
	}
	if p.at == start {
		return nil, fmt.Errorf("unexpected %q", p.rest()[:min(20, len(p.rest()))])
	}
	v := &value{kind: word, text: p.text[start:p.at]}
	switch p.peek() {
	case '(':
		arguments, err := p.group()
		if err != nil {
			return nil, err
		}
		v.kind, v.parts = called, arguments.parts
	case '<':
		if strings.HasPrefix(p.rest(), "<unfinished") {
			break
		}
		note, err := p.note()
		if err != nil {
			return nil, err
		}
		v.note = note
	}
	return v, nil
}

// note reads what -y says of a descriptor: "</etc/hosts>".
func (p *parser) note() (string, error) {
	start, nested := p.at+1, 0
	for ; p.at < len(p.text); p.at++ {
		switch p.text[p.at] {
		case '<':
			nested++
		case '>':
			if p.text[p.at-1] == '-' && p.text[start] != '/' { // TCP:[10.0.0.1:4000->10.0.0.2:80]
				continue
			}
			if nested--; nested == 0 {
				note := p.text[start:p.at]
				p.at++
				const deleted = "(deleted)"
				if strings.HasPrefix(p.rest(), deleted) {
					p.at += len(deleted)
				}
				return note, nil
			}
		}
	}
	return "", errors.New("what is said of a descriptor does not end")
}

// closing has the end of each group.
var closing = map[byte]byte{'{': '}', '[': ']', '(': ')'}

// group reads a struct, an array, or the arguments of something that looks like a call.
func (p *parser) group() (*value, error) {
	v := &value{kind: group, open: p.peek()}
	p.at++
	for {
		p.space()
		switch p.peek() {
		case 0:
			return nil, fmt.Errorf("a %c is not closed", v.open)
		case closing[v.open]:
			p.at++
			return v, nil
		case ',':
			p.at++
			continue
		case ')', ']', '}':
			return nil, fmt.Errorf("a %c is closed by %c", v.open, p.peek())
		}
		part, err := p.value()
		if err != nil {
			return nil, err
		}
		if part.kind == word && part.text == "..." && part.name == "" {
			v.cut = true
			continue
		}
		v.parts = append(v.parts, part)
	}
}

// escapes are those of C that strace prints, besides octal and hexadecimal ones.
var escapes = map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', 'v': '\v', 'f': '\f', '"': '"', '\\': '\\'}

// quoted reads a string.
func (p *parser) quoted() (*value, error) {
	var text []byte
	for p.at++; p.at < len(p.text); p.at++ {
		c := p.text[p.at]
		if c == '"' {
			p.at++
			return &value{kind: quoted, text: string(text)}, nil
		}
		if c != '\\' || p.at+1 == len(p.text) {
			text = append(text, c)
			continue
		}
		p.at++
		c = p.text[p.at]
		switch {
		case '0' <= c && c <= '7':
			n, digits := 0, 0
			for ; digits < 3 && p.at < len(p.text) && '0' <= p.text[p.at] && p.text[p.at] <= '7'; digits++ {
				n = n*8 + int(p.text[p.at]-'0')
				p.at++
			}
			p.at--
			text = append(text, byte(n))
		case c == 'x' && p.at+2 < len(p.text):
			var n byte
			if _, err := fmt.Sscanf(p.text[p.at+1:p.at+3], "%02x", &n); err != nil {
				return nil, fmt.Errorf("an escape is not hexadecimal: %w", err)
			}
			p.at += 2
			text = append(text, n)
		default:
			plain, ok := escapes[c]
			if !ok {
				return nil, fmt.Errorf("unknown escape \\%c", c)
			}
			text = append(text, plain)
		}
	}
	return nil, errors.New("a string does not end")
}
