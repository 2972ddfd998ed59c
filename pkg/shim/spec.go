// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"encoding/json"
	"fmt"
)

// specLimit is the largest config.json in bytes that is read.
const specLimit = 16 << 20

// spec is as much of an OCI config.json as the shim wants to know.
type spec struct {
	Annotations map[string]string `json:"annotations"`
	Linux       struct {
		CgroupsPath string `json:"cgroupsPath"`
		Namespaces  []struct {
			Type string `json:"type"`
			Path string `json:"path"`
		} `json:"namespaces"`
	} `json:"linux"`
}

func parseSpec(text []byte) (spec, error) {
	var s spec
	if err := json.Unmarshal(text, &s); err != nil {
		return spec{}, fmt.Errorf("parsing: %w", err)
	}
	return s, nil
}
