// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
)

// The author of a pod can fill up to 1 MiB of its metadata, and a node has 110 pods. All of them at once would
// exceed the agent's memory: each pod is reduced to the data that is kept as soon as it is read.

// reducedKind marks the results of reduce.
const reducedKind = "reduced"

// truncatedMark is an annotation of a reduced pod with labels left out.
const truncatedMark = "truncated"

// reduce returns the part of a pod that the source needs, in a limited number of bytes.
func (s *podSource) reduce(p *metav1.PartialObjectMetadata) *metav1.PartialObjectMetadata {
	if p.Kind == reducedKind {
		return p
	}
	text := make([]byte, abi.LabelsSize)
	used, truncated := identity.EncodeLabels(text, p.Labels, s.writer.keep)
	kept := &metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{Kind: reducedKind},
		ObjectMeta: metav1.ObjectMeta{
			Name: p.Name, Namespace: p.Namespace, UID: p.UID, ResourceVersion: p.ResourceVersion,
			Labels: identity.DecodeLabels(text[:used]), Annotations: map[string]string{},
		},
	}
	if truncated {
		kept.Annotations[truncatedMark] = "true"
	}
	if uid := p.Annotations[mirrorAnnotation]; uid != "" && len(uid) < abi.SubjectSize {
		kept.Annotations[mirrorAnnotation] = uid
	}
	for _, owner := range p.OwnerReferences {
		if s.isOwner(owner) {
			kept.OwnerReferences = []metav1.OwnerReference{{Kind: owner.Kind, Name: owner.Name}}
			break
		}
	}
	return kept
}

// isOwner reports whether an owner is this node.
func (s *podSource) isOwner(owner metav1.OwnerReference) bool {
	return owner.Kind == "Node" && owner.Name == s.node
}

// lister lists the pods of an API server that cannot stream lists.
type lister struct{ client *rest.RESTClient }

func newLister(config *rest.Config) (*lister, error) {
	config = metadata.ConfigFor(config)
	config.GroupVersion, config.APIPath = &schema.GroupVersion{Version: "v1"}, "/api"
	client, err := rest.RESTClientFor(config)
	return &lister{client}, err
}

// pods lists the metadata of pods. It reduces each pod as soon as it is read, so that the whole answer is never in
// memory.
func (l *lister) pods(ctx context.Context, options metav1.ListOptions,
	reduce reducer) (*metav1.PartialObjectMetadataList, error) {
	body, err := l.client.Get().Resource("pods").VersionedParams(&options, metav1.ParameterCodec).
		SetHeader("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1").Stream(ctx)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	list := &metav1.PartialObjectMetadataList{}
	if err := decodeList(json.NewDecoder(body), list, reduce); err != nil {
		return nil, fmt.Errorf("reading the list of pods: %w", err)
	}
	return list, nil
}

type reducer func(*metav1.PartialObjectMetadata) *metav1.PartialObjectMetadata

// decodeList decodes a list's metadata, and its items one by one.
func decodeList(d *json.Decoder, list *metav1.PartialObjectMetadataList, reduce reducer) error {
	if err := expect(d, json.Delim('{')); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		switch name {
		case "metadata":
			err = d.Decode(&list.ListMeta)
		case "items":
			err = decodeItems(d, list, reduce)
		default:
			err = d.Decode(new(json.RawMessage))
		}
		if err != nil {
			return err
		}
	}
	return expect(d, json.Delim('}'))
}

func decodeItems(d *json.Decoder, list *metav1.PartialObjectMetadataList, reduce reducer) error {
	token, err := d.Token()
	if err != nil || token == nil { // null: no items
		return err
	}
	for d.More() {
		var p metav1.PartialObjectMetadata
		if err := d.Decode(&p); err != nil {
			return err
		}
		p.Kind = "" // reduce uses it as a mark; the server sets that of the list only
		list.Items = append(list.Items, *reduce(&p))
	}
	return expect(d, json.Delim(']'))
}

func expect(d *json.Decoder, want json.Delim) error {
	token, err := d.Token()
	if err == nil && token != want {
		err = fmt.Errorf("unexpected %v instead of %v", token, want)
	}
	return err
}
