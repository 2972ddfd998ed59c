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

// keyLimit is how many bytes of a key are looked at: enough for any that is needed, each character of it escaped.
const keyLimit = 128

// jsonReader goes through JSON text of any length, keeps nothing but its buffer, and gives those values that it is
// asked for. It takes text that is no JSON without an error wherever the error would be in what is skipped.
type jsonReader struct {
	from   io.Reader
	buffer []byte // of the text: what was read, and from at on not yet consumed
	at     int

	kept  []byte // what was consumed since keep was set
	keep  bool
	limit int // how many bytes may be kept
}

// newJSONReader needs a size in bytes only to take no more memory than the text does.
func newJSONReader(from io.Reader, size int64) *jsonReader {
	const least, most = 512, 64 << 10
	return &jsonReader{from: from, buffer: make([]byte, 0, min(max(size+1, least), most))}
}

// fill reads more when all that was read is consumed.
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

// consume goes on by n bytes, which are in the buffer.
func (p *jsonReader) consume(n int) {
	if p.keep && len(p.kept)+n <= p.limit {
		p.kept = append(p.kept, p.buffer[p.at:p.at+n]...)
	} else if p.keep {
		p.keep, p.kept = false, nil
	}
	p.at += n
}

// next is the first byte behind white space. It is not consumed.
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

// skip goes to the end of a value of any kind, however deep.
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

// skipWord goes to the end of a number, true, false or null. The end of the text ends it, too.
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

// value is the JSON of a value of at most limit bytes, which is valid until the next call. ok is false for a longer
// one; it is consumed all the same.
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

// text is a string, as encoding/json reads it; null is read as the empty one. ok is false if its JSON takes more than
// limit bytes between the quotes.
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

// decode reads a value of at most limit bytes over what is there, as encoding/json does.
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

// isPlain says whether a JSON string stands for itself.
func isPlain(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// object goes through an object: each is called with every key, and has to consume the value. known is false, and
// the key empty, for a key of more than limit bytes. null says that there is null in place of an object.
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
