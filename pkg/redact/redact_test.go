// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func builtinTable(t testing.TB) *Table {
	t.Helper()
	table, err := New(true, nil)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestBuiltin masks what is between < and >, and nothing else.
func TestBuiltin(t *testing.T) {
	table := builtinTable(t)
	if table.always != 0 {
		t.Errorf("patterns that are always tried: %b", table.always)
	}
	const pem = "-----BEGIN RSA PRIVATE KEY-----"
	for _, marked := range []string{
		"password=<hunter2>", "DB_PASSWORD=<hunter2>\x00PATH=/bin\x00", "passwd: <hunter2>\nuser: me",
		`{"user": "me", "password": "<hunter2>"}`, `{"apiKey":"<a b>","n":1}`, `{\"token\":\"<abc>\"}`,
		"GET /x?user=me&token=<abc>&n=1 HTTP/1.1", "aws_secret_access_key = <wJalrXUtnFEMI/K7MDENG>",
		"mysql\x00--password\x00<hunter2>\x00-h\x00db", "mysql --password=<hunter2> -h db", "x --api-key <abc> y",
		"Authorization: Basic <dXNlcjpwYXNz>\r\nAccept: */*", "authorization: Bearer <abc.def>\r\n",
		"Proxy-Authorization: <abc>", "Cookie: <sid=1; b=2>\r\nHost: x", "Set-Cookie: <sid=1; Path=/>\r\n",
		"X-Api-Key: <abc>\r\n", "curl -H x: Bearer <abcdefgh1234>",
		"postgres://me:<hunter2>@db:5432/x", "redis://:<hunter2>@cache",
		pem + "<\nMIIE\nabc\n>-----END RSA PRIVATE KEY-----\n", pem + "<\nMIIE>", `"` + pem + `<\nMIIE\n>-----END`,
		"x <eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig_-> y", "<eyJhbGciOiJIUzI1Ni>",
		"id <AKIAIOSFODNN7EXAMPLE>", "<ghp_abcdefghij0123456789>", "<xoxb-1234567890-abc>", "<sk_live_abcdefghijkl>",
		"*3\r\n$4\r\nAUTH\r\n$2\r\n<me>\r\n$7\r\n<hunter2>\r\n",
		"client_secret='<a b>'", "usage: --token <FILE> x", "Uid=sa;Pwd=<abc>;",
		// No secrets.
		"", "hello", "/etc/passwd", "/run/secrets/db", "GET /token HTTP/1.1\r\n", "http://host:80/@x",
		"password=", "password:\n",
		"-----BEGIN CERTIFICATE-----\nMIIE", "AKIA1", "authorization", "PWD=/home", "OLDPWD=/tmp", "eyJ",
		"/usr/lib/libsecret.so.1", "the password of the user",
	} {
		text := strings.NewReplacer("<", "", ">", "").Replace(marked)
		want, inside := []byte{}, false
		for _, b := range []byte(marked) {
			switch {
			case b == '<' || b == '>':
				inside = b == '<'
			case inside:
				want = append(want, Fill)
			default:
				want = append(want, b)
			}
		}
		got := []byte(text)
		n := table.Mask(got)
		if diff := cmp.Diff(string(want), string(got)); diff != "" || n > 0 != strings.Contains(marked, "<") {
			t.Errorf("%q: %d (-want +got):\n%s", text, n, diff)
		}
		if again := table.Mask(got); again != 0 {
			t.Errorf("%q: %d more in %q", text, again, got)
		}
	}
}

func TestOwnPatterns(t *testing.T) {
	table, err := New(false, []string{"(", `acct-\d+`, `(?i)card (\d{4})(\d+)`, `.x`})
	const problem = "redact.patterns has an invalid pattern \"(\": error parsing regexp: missing closing ): `(`"
	if err == nil || err.Error() != problem {
		t.Errorf("the problem is %v", err)
	}
	got, n := table.MaskString("Acct-1 acct-22 CARD 12345678 password=x yx")
	if want := "Acct-1 ******* CARD ******** password** **"; got != want || n != 4 {
		t.Errorf("%q, %d, want %q", got, n, want)
	}
	var none *Table
	if got, n := none.MaskString("password=x"); got != "password=x" || n != 0 {
		t.Errorf("no table: %q, %d", got, n)
	}
}

func TestNeeds(t *testing.T) {
	for pattern, want := range map[string][]string{
		`AKIA[0-9]{16}`:       {"akia"},
		`(?i)pass(?:word|wd)`: {"password", "passwd"},
		`api[_-]?key=`:        {"apikey=", "api-key=", "api_key="},
		`(foo)+bar`:           {"foo"},
		`x*longer.abc`:        {"longer"},
		`\d+`:                 nil,
		`a|long`:              nil,
		`Ünder`:               nil,
		`.*`:                  nil,
	} {
		if diff := cmp.Diff(want, needs(pattern)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", pattern, diff)
		}
	}
}

// FuzzMay checks that the scanner finds all that a pattern matches, and that a mask keeps the length.
func FuzzMay(f *testing.F) {
	for _, pattern := range append(Builtin(), `a(b|cd)?ef`, `(?:foo|bar)+x`, `(?i)K[ab]?z{2,3}`, `x|`, `\bword\b`) {
		f.Add(pattern, []byte("x PASSWORD=abc&token=def Authorization: Bearer abc\r\nCookie: a"))
		f.Add(pattern, []byte("-----BEGIN PRIVATE KEY-----abc abef acdef kbzz word foobarx"))
	}
	f.Fuzz(func(t *testing.T, pattern string, data []byte) {
		if bytes.ContainsAny(data, "\u017f\u212a") {
			return // they are "s" and "k" to a pattern that ignores case, and to no name of a secret
		}
		table, err := New(false, []string{pattern})
		if err != nil {
			return
		}
		if table.patterns[0].Match(data) && !table.May(data) {
			t.Errorf("%q matches %s, and the scanner did not find it", data, pattern)
		}
		masked := bytes.Clone(data)
		if n := table.Mask(masked); len(masked) != len(data) || n == 0 && !bytes.Equal(masked, data) {
			t.Errorf("%q becomes %q", data, masked)
		}
	})
}

func BenchmarkMask(b *testing.B) {
	table := builtinTable(b)
	data := []byte(`2026-11-28T10:00:00Z INFO request handled method=GET path=/api/v1/items status=200 duration=1.2ms id=8f14e45f`)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		table.Mask(data)
	}
}
