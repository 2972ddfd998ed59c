// SPDX-License-Identifier: Apache-2.0

package report

import "github.com/runc-trace/runc-trace/pkg/answers"

// use is what was done with a file or an address.
type use struct {
	What    string `json:"what"` // the path or the address; empty if it has none
	Shown   string `json:"shown"`
	Kind    string `json:"kind"` // of an address: "to TCP"; empty for a file
	Did     string `json:"did"`  // in words
	Calls   uint64 `json:"calls"`
	Failed  uint64 `json:"failed"`
	Read    uint64 `json:"read"` // bytes
	Written uint64 `json:"written"`
	Time    uint64 `json:"time"` // ns
	Last    int64  `json:"last"`
	By      []int  `json:"by"` // indexes of processes
}

// newUse returns what was done with a file or an address, without what it is.
func newUse(p *answers.Past, u *answers.Usage, index map[*answers.Process]int) use {
	j := use{Calls: u.Calls, Failed: u.Failed, Read: u.Read, Written: u.Written, Time: u.Time, Last: since(p, u.Last),
		By: []int{}}
	for _, user := range u.By {
		j.By = append(j.By, place(index, user.Process))
	}
	return j
}

// newFiles returns what was done with files.
func newFiles(p *answers.Past, index map[*answers.Process]int) []use {
	all := []use{}
	for _, f := range p.Files(nil, answers.ByBytes).Files {
		j := newUse(p, &f.Usage, index)
		j.What, j.Shown, j.Did = shown(f.Path), f.Shown(), f.Summary()
		all = append(all, j)
	}
	return all
}

// newNet returns what was done with addresses, and the DNS questions.
func newNet(p *answers.Past, index map[*answers.Process]int) (all []use, questions []string) {
	all, questions = []use{}, []string{}
	n := p.Net(nil, answers.ByBytes)
	for _, e := range n.Endpoints {
		j := newUse(p, &e.Usage, index)
		j.What, j.Shown, j.Did, j.Kind = shown(e.Address), e.Shown(), e.Summary(), string(e.Way)
		if e.Type != "" {
			j.Kind += " " + e.Type
		}
		all = append(all, j)
	}
	for _, q := range n.Questions {
		questions = append(questions, q.String())
	}
	return all, questions
}
