// SPDX-License-Identifier: Apache-2.0

package labels

// Choice selects containers for a list, and records the uncertain ones.
type Choice struct {
	Filter *Filter

	Truncated []*Container // selected, but not all their labels are known and a missing one could decide otherwise
	Unknown   int          // number left out because their labels, or Docker's names, are not known
	Engine    string       // of one of the Unknown ones, if possible not Podman
	Gone      int          // number left out because the container is no longer known
}

// Wants reports whether a container belongs in the list. Nil stands for a container that is no longer known.
func (c *Choice) Wants(container *Container) bool {
	switch c.Filter.Judge(container) {
	case Yes:
		return true
	case Maybe:
		c.Truncated = append(c.Truncated, container)
		return true
	case Unknown:
		if c.Filter.Target != nil && c.Filter.JudgeNames(container) == Unknown {
			return false // the name is known, so a container whose name is not is another one
		}
		if c.Unknown++; c.Engine == "" || c.Engine == "podman" {
			c.Engine = container.Engine
		}
	case No:
		if container == nil {
			c.Gone++
		}
	}
	return false
}
