// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
)

// form is the text of a requirement: "!", key, operator, value.
var form = regexp.MustCompile(`(?s)^\s*(!?)\s*([^\s=!<>()]*)\s*(?:(==|=|!=|<|>|in\b|notin\b)\s*(.*?))?\s*$`)

// mistake says what is wrong in a selector that labels.Parse refuses, and in which of its requirements.
func mistake(text string) error {
	all := split(text)
	for n, requirement := range all {
		if _, err := labels.Parse(requirement); err == nil && strings.TrimSpace(requirement) != "" {
			continue
		}
		why := mistakeIn(requirement)
		if len(all) == 1 {
			return errors.New(why)
		}
		return fmt.Errorf("requirement %d, %q: %s", n+1, strings.TrimSpace(requirement), why)
	}
	return errors.New("it is not a label selector")
}

// split splits a selector at the commas outside of parentheses.
func split(text string) []string {
	var all []string
	start, depth := 0, 0
	for n, c := range text {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth <= 0:
			all, start = append(all, text[start:n]), n+1
		}
	}
	return append(all, text[start:])
}

// mistakeIn says what is wrong in one requirement.
func mistakeIn(requirement string) string {
	if strings.TrimSpace(requirement) == "" {
		return "it is empty"
	}
	part := form.FindStringSubmatch(requirement)
	if part == nil {
		return "it needs an operator (=, !=, in, notin, <, >) after the key, or a comma"
	}
	not, key, operator, value := part[1], part[2], part[3], part[4]
	switch {
	case key == "":
		return "the key is missing"
	case len(validation.IsQualifiedName(key)) > 0:
		return fmt.Sprintf("%q is not a label key", key)
	case not != "" && operator != "":
		return "only a key can follow the \"!\" at the beginning"
	case operator == "in" || operator == "notin":
		inner, opened := strings.CutPrefix(value, "(")
		inner, closed := strings.CutSuffix(inner, ")")
		if !opened || !closed {
			return fmt.Sprintf("the values after %q need parentheses", operator)
		}
		for one := range strings.SplitSeq(inner, ",") {
			if why := wrongValue(strings.TrimSpace(one)); why != "" {
				return why
			}
		}
		return "the values are malformed"
	case operator == "<" || operator == ">":
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return fmt.Sprintf("%q is not a whole number", value)
		}
	}
	if why := wrongValue(value); why != "" {
		return why
	}
	return "it is malformed"
}

// wrongValue says why a text cannot be the value of a label; "" if it can.
func wrongValue(value string) string {
	switch {
	case len(validation.IsValidLabelValue(value)) == 0:
		return ""
	case strings.ContainsAny(value, " \t\n"):
		return "a comma is missing"
	}
	return fmt.Sprintf("%q is not the value of a label", value)
}
