// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// keyLimit is the number of bytes of a key that are compared: enough for every key needed, with each character
// escaped.
const keyLimit = 128

// jsonReader scans JSON text of any length. It stores only its buffer, and returns the requested values. It reports
// no errors in parts that it skips, even if these are not JSON.
type jsonReader struct {
	from   io.Reader
	buffer []byte // text that was read; from at on, it is not yet consumed
	at     int

	kept  []byte // text consumed since keep was set
	keep  bool
	limit int // bytes that may be kept
}

// newJSONReader returns a jsonReader. size, in bytes, only keeps the buffer from being larger than the text.
func newJSONReader(from io.Reader, size int64) *jsonReader {
	const least, most = 512, 64 << 10
	return &jsonReader{from: from, buffer: make([]byte, 0, min(max(size+1, least), most))}
}

// fill reads more text if all that was read is consumed.
func (p *jsonReader) fill() error {
	for tries := 0; p.at == len(p.buffer); tries++ {
		n, err := p.from.Read(p.buffer[:cap(p.buffer)])
		p.buffer, p.at = p.buffer[:n], 0
		switch {
		case n > 0:
		case errors.Is(err, io.EOF) || tries > 100:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
	}
	return nil
}

// consume advances by n bytes, which must be in the buffer.
func (p *jsonReader) consume(n int) {
	if p.keep && len(p.kept)+n <= p.limit {
		p.kept = append(p.kept, p.buffer[p.at:p.at+n]...)
	} else if p.keep {
		p.keep, p.kept = false, nil
	}
	p.at += n
}

// next returns the first byte after white space, without consuming it.
func (p *jsonReader) next() (byte, error) {
	for {
		for ; p.at < len(p.buffer); p.consume(1) {
			switch c := p.buffer[p.at]; c {
			case ' ', '\t', '\r', '\n':
			default:
				return c, nil
			}
		}
		if err := p.fill(); err != nil {
			return 0, err
		}
	}
}

// skip advances to the end of a value of any kind and depth.
func (p *jsonReader) skip() error {
	for depth := 0; ; {
		c, err := p.next()
		if err != nil {
			return err
		}
		switch c {
		case '{', '[':
			depth++
			p.consume(1)
		case '}', ']':
			depth--
			p.consume(1)
		case '"':
			err = p.skipString()
		case ',', ':':
			if depth == 0 {
				return unexpected(c)
			}
			p.consume(1)
			continue
		default:
			p.skipWord()
		}
		if err != nil {
			return err
		}
		if depth < 0 {
			return unexpected(c)
		}
		if depth == 0 {
			return nil
		}
	}
}

func (p *jsonReader) skipString() error {
	p.consume(1)
	for escaped := false; ; {
		if err := p.fill(); err != nil {
			return err
		}
		if escaped {
			p.consume(1)
			escaped = false
			continue
		}
		rest := p.buffer[p.at:]
		quote := bytes.IndexByte(rest, '"')
		if quote >= 0 {
			rest = rest[:quote]
		}
		switch backslash := bytes.IndexByte(rest, '\\'); {
		case backslash >= 0:
			p.consume(backslash + 1)
			escaped = true
		case quote >= 0:
			p.consume(quote + 1)
			return nil
		default:
			p.consume(len(rest))
		}
	}
}

// skipWord advances to the end of a number, true, false or null, or to the end of the text.
func (p *jsonReader) skipWord() {
	for p.fill() == nil {
		for at, c := range p.buffer[p.at:] {
			switch c {
			case ' ', '\t', '\r', '\n', ',', ':', '{', '}', '[', ']', '"':
				p.consume(at)
				return
			}
		}
		p.consume(len(p.buffer) - p.at)
	}
}

// value returns the JSON of a value of at most limit bytes, which is valid until the next call. If the value is
// longer, ok is false, and the value is still consumed.
func (p *jsonReader) value(limit int) (text []byte, ok bool, err error) {
	if _, err := p.next(); err != nil {
		return nil, false, err
	}
	p.kept, p.keep, p.limit = p.kept[:0], true, limit
	err = p.skip()
	text, ok = p.kept, p.keep
	p.keep = false
	return text, ok, err
}

// text returns a string as encoding/json decodes it, and "" for null. ok is false if its JSON takes more than limit
// bytes between the quotes.
func (p *jsonReader) text(limit int) (text string, ok bool, err error) {
	quoted, ok, err := p.value(limit + 2)
	if err != nil || !ok {
		return "", false, err
	}
	if n := len(quoted); n > 1 && quoted[0] == '"' && isPlain(quoted[1:n-1]) {
		return string(quoted[1 : n-1]), true, nil
	}
	err = json.Unmarshal(quoted, &text)
	return text, err == nil, err
}

// decode decodes a value of at most limit bytes into a variable, as encoding/json does.
func (p *jsonReader) decode(into any, limit int) error {
	text, ok, err := p.value(limit)
	if err == nil && !ok {
		err = ErrTooLarge
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// isPlain reports whether a JSON string has no escapes.
func isPlain(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// object reads an object. It calls each with every key; each must consume the value. For a key of more than limit
// bytes, known is false and key is empty. null is true if the value is null instead of an object.
func (p *jsonReader) object(limit int, each func(key string, known bool) error) (null bool, err error) {
	c, err := p.next()
	if err != nil {
		return false, err
	}
	if c == 'n' {
		word, _, err := p.value(keyLimit)
		if err == nil && string(word) != "null" {
			err = unexpected(c)
		}
		return true, err
	}
	for first := true; ; first = false {
		if c, err = p.next(); err != nil {
			return false, err
		}
		p.consume(1)
		switch {
		case c == '}' && !first:
			return false, nil
		case first && c != '{', !first && c != ',':
			return false, unexpected(c)
		}
		if c, err = p.next(); err != nil {
			return false, err
		}
		if first && c == '}' {
			p.consume(1)
			return false, nil
		}
		if c != '"' {
			return false, unexpected(c)
		}
		key, known, err := p.text(limit)
		if err != nil {
			return false, err
		}
		if c, err = p.next(); err != nil {
			return false, err
		}
		if c != ':' {
			return false, unexpected(c)
		}
		p.consume(1)
		if err := each(key, known); err != nil {
			return false, err
		}
	}
}

func unexpected(c byte) error { return fmt.Errorf("unexpected %q", c) }
