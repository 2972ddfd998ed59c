// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"regexp/syntax"
	"slices"
	"strings"
)

const (
	literalsMax = 128 // of one pattern; if there were more, they would save no time
	literalMin  = 3   // bytes: shorter ones are in too many texts
)

// needs returns texts, one of which each match of a pattern contains, whatever its case: nil if it finds none that are
// worth it.
func needs(pattern string) []string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	n := needed(re.Simplify())
	if !n.useful() {
		return nil
	}
	return n.texts
}

// need is what is known of the matches of an expression: each contains one of the texts, in lower case. If whole is
// set, each is one of them.
type need struct {
	texts []string
	whole bool
}

func (n need) useful() bool {
	return len(n.texts) > 0 && len(n.texts) <= literalsMax && n.shortest() >= literalMin
}

// shortest returns the length of the shortest text.
func (n need) shortest() int {
	least := len(n.texts[0])
	for _, text := range n.texts {
		least = min(least, len(text))
	}
	return least
}

var (
	nothing = need{[]string{""}, true}
	unknown = need{}
)

func needed(re *syntax.Regexp) need {
	switch re.Op {
	case syntax.OpLiteral:
		text := strings.ToLower(string(re.Rune))
		if !isASCII(text) {
			return unknown // it has other cases than those that the scanner knows
		}
		return need{[]string{text}, true}
	case syntax.OpCharClass:
		return neededOfClass(re.Rune)
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return nothing
	case syntax.OpCapture:
		return needed(re.Sub[0])
	case syntax.OpQuest:
		return either(nothing, needed(re.Sub[0]))
	case syntax.OpPlus:
		n := needed(re.Sub[0])
		n.whole = false
		return n
	case syntax.OpAlternate:
		all := needed(re.Sub[0])
		for _, sub := range re.Sub[1:] {
			all = either(all, needed(sub))
		}
		return all
	case syntax.OpConcat:
		return neededInTurn(re.Sub)
	}
	return unknown
}

// neededOfClass knows classes of a few characters.
func neededOfClass(ranges []rune) need {
	const most = 8
	var texts []string
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			text := strings.ToLower(string(r))
			if len(texts) == most || !isASCII(text) {
				return unknown
			}
			if !slices.Contains(texts, text) {
				texts = append(texts, text)
			}
		}
	}
	return need{texts, true}
}

func either(a, b need) need {
	if len(a.texts) == 0 || len(b.texts) == 0 || len(a.texts)+len(b.texts) > literalsMax {
		return unknown
	}
	return need{slices.Concat(a.texts, b.texts), a.whole && b.whole}
}

// neededInTurn joins the texts of neighbours as long as they are whole, and chooses the longest of what is needed.
func neededInTurn(subs []*syntax.Regexp) need {
	best, run, whole := unknown, nothing, true
	choose := func(n need) {
		if n.useful() && (!best.useful() || n.shortest() > best.shortest()) {
			best = need{n.texts, false}
		}
	}
	for _, sub := range subs {
		n := needed(sub)
		if !n.whole || len(run.texts)*len(n.texts) > literalsMax {
			choose(run)
			choose(n)
			run, whole = nothing, false
			if n.whole {
				run = n
			}
			continue
		}
		var joined []string
		for _, before := range run.texts {
			for _, text := range n.texts {
				joined = append(joined, before+text)
			}
		}
		run.texts = joined
	}
	if whole {
		return run
	}
	choose(run)
	return best
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 })
}
