// SPDX-License-Identifier: Apache-2.0

package labels

// Choice chooses containers for a list, and notes of which it cannot be sure.
type Choice struct {
	Filter *Filter

	Truncated []*Container // that were chosen although not all their labels are known, and the others could decide it
	Unknown   int          // containers that were left out since their labels, or Docker's names, are not known
}

// Wants tells whether a container belongs into the list. Nil is a container that is not known any more.
func (c *Choice) Wants(container *Container) bool {
	switch c.Filter.Judge(container) {
	case Yes:
		return true
	case Maybe:
		c.Truncated = append(c.Truncated, container)
		return true
	}
	if container != nil && container.Unlabelled && c.Filter.JudgeNames(container) != No {
		c.Unknown++
	}
	return false
}
