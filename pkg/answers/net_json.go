// SPDX-License-Identifier: Apache-2.0

package answers

import "time"

// netVersion is that of NetJSON: it grows if a field changes its meaning or goes.
const netVersion = 1

// NetJSON is a Net in machine-readable form. Names are stable.
type NetJSON struct {
	Version int `json:"version"`
	AboutJSON
	Endpoints []EndpointJSON `json:"endpoints"`
	Questions []QuestionJSON `json:"questions"` // in the order in which they were asked first
	// Unknown is what was read and written by sockets of which no address is known.
	Unknown TransferredJSON `json:"unknown"`
	Covers  []CoverageJSON  `json:"covers"`
	Kept    KeptJSON        `json:"kept"`
}

// EndpointJSON is an address, and what was done with it.
type EndpointJSON struct {
	Way     Way    `json:"way"`
	Type    string `json:"type,omitempty"`
	Address string `json:"address,omitempty"`
	Local   string `json:"local,omitempty"` // of the listener, if Way is from
	UsageJSON
}

// QuestionJSON is a DNS question.
type QuestionJSON struct {
	Name      string          `json:"name"`
	Truncated bool            `json:"truncated,omitempty"` // Name is only a beginning
	Type      string          `json:"type,omitempty"`
	Servers   []string        `json:"servers"`
	Time      time.Time       `json:"time"` // when it was asked first
	Asked     uint64          `json:"asked"`
	Responses []CodeCountJSON `json:"responses"`
	Records   []RecordJSON    `json:"records"`
	Cut       bool            `json:"cut,omitempty"` // further records were not recorded
	Took      int64           `json:"took"`          // ns, the longest until a response; 0 if none came
	By        []ProcessJSON   `json:"by"`
}

// CodeCountJSON counts responses.
type CodeCountJSON struct {
	Code  string `json:"code"`
	Count uint64 `json:"count"`
}

// RecordJSON is a record of a response.
type RecordJSON struct {
	Type string `json:"type"`
	Data string `json:"data,omitempty"`
}

// JSON returns what was done with sockets in machine-readable form.
func (n *Net) JSON() *NetJSON {
	p := n.past
	j := &NetJSON{Version: netVersion, AboutJSON: p.about(&n.ending), Endpoints: []EndpointJSON{},
		Questions: []QuestionJSON{}, Unknown: TransferredJSON{n.Unknown.Read, n.Unknown.Written},
		Covers: newCoverageJSON(n.Covers), Kept: p.keptJSON()}
	for _, e := range n.Endpoints {
		j.Endpoints = append(j.Endpoints, EndpointJSON{e.Way, e.Type, e.Address, e.Local, p.usageJSON(&e.Usage)})
	}
	for _, q := range n.Questions {
		one := QuestionJSON{Name: q.Name, Truncated: q.NameCut, Type: q.Type, Servers: q.Servers, Time: p.at(q.At),
			Asked: q.Asked, Responses: []CodeCountJSON{}, Records: []RecordJSON{}, Cut: q.Cut, Took: int64(q.Took),
			By: []ProcessJSON{}}
		for _, c := range q.Codes {
			one.Responses = append(one.Responses, CodeCountJSON(c))
		}
		for _, r := range q.Records {
			one.Records = append(one.Records, RecordJSON(r))
		}
		for _, process := range q.By {
			one.By = append(one.By, newProcessJSON(process))
		}
		j.Questions = append(j.Questions, one)
	}
	return j
}
