// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// connection says how to reach the API server, with kubectl's flags and files. cli-runtime has the same flags and uses
// the same library, but its discovery of types would double the size and the start time of the program.
type connection struct {
	kubeconfig string
	overrides  clientcmd.ConfigOverrides
}

// addFlags adds kubectl's flags, except deprecated ones and -n, which selects pods here.
func (c *connection) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.kubeconfig, "kubeconfig", "", "kubeconfig file (default: $KUBECONFIG, ~/.kube/config, or the pod's service account)")
	names := clientcmd.RecommendedConfigOverrideFlags("")
	names.ContextOverrideFlags.Namespace = clientcmd.FlagInfo{}
	names.AuthOverrideFlags.Username = clientcmd.FlagInfo{}
	names.AuthOverrideFlags.Password = clientcmd.FlagInfo{}
	names.ClusterOverrideFlags.ProxyURL = clientcmd.FlagInfo{}
	names.ClusterOverrideFlags.APIServer.ShortName = "s"
	clientcmd.BindOverrideFlags(&c.overrides, flags, names)
}

// check rejects flag values that client-go would reject with errors in terms of Go.
func (c *connection) check() error {
	if timeout := c.overrides.Timeout; timeout != "" {
		if _, err := clientcmd.ParseTimeout(timeout); err != nil {
			return fmt.Errorf("--request-timeout %q: must be a number of seconds, or a time such as 30s or 10m", timeout)
		}
	}
	if server := c.overrides.ClusterInfo.Server; server != "" {
		if _, _, err := rest.DefaultServerURL(server, "", schema.GroupVersion{}, true); err != nil {
			return fmt.Errorf("--server %q: must be an address such as https://HOST:PORT", server)
		}
	}
	return nil
}

// config returns the configuration from the flags and files.
func (c *connection) config() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &c.overrides).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the cluster: %s", terminal.Escaped(err.Error()))
	}
	return config, nil
}
