// SPDX-License-Identifier: Apache-2.0

package bpf

// AfterReplaceStep has f called after each step of a replacement.
func AfterReplaceStep(f func()) { replaceStep = f }
