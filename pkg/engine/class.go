// SPDX-License-Identifier: Apache-2.0

package engine

// RuntimeClass is the manifest by which Kubernetes pods ask for the runtime that Edit adds beside the default one: with
// `runtimeClassName: runc-trace`.
const RuntimeClass = `apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata:
  name: ` + addedRuntime + `
handler: ` + addedRuntime + `
`
