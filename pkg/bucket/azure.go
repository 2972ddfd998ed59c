// SPDX-License-Identifier: Apache-2.0

package bucket

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
)

// azure is a container of Azure Blob Storage.
type azure struct {
	connection string // a connection string, in which the later one of two equal keys counts
	container  string
}

// openAzure takes credentials from the variables of Azure's own tools: a key of the account, a token (shared access
// signature), or either of them in a connection string. Of that, the server and the account are not used.
func openAzure(server *url.URL, account, container string) (*azure, error) {
	var credentials string
	if key := os.Getenv("AZURE_STORAGE_KEY"); key != "" {
		credentials = "AccountKey=" + key
	} else if token := os.Getenv("AZURE_STORAGE_SAS_TOKEN"); token != "" {
		credentials = "SharedAccessSignature=" + strings.TrimPrefix(token, "?")
	} else if credentials = os.Getenv("AZURE_STORAGE_CONNECTION_STRING"); credentials == "" {
		return nil, errors.New("no credentials: set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or " +
			"AZURE_STORAGE_CONNECTION_STRING in the environment of the agent")
	}
	a := &azure{fmt.Sprintf("%s;BlobEndpoint=%s;AccountName=%s", strings.TrimRight(credentials, ";"), server, account),
		container}
	if _, err := a.blob(""); err != nil {
		return nil, fmt.Errorf("invalid credentials in the environment of the agent: %w", err)
	}
	return a, nil
}

// blob returns a client for one object. It has no retries: the agent tries again.
func (a *azure) blob(name string) (*blockblob.Client, error) {
	return blockblob.NewClientFromConnectionString(a.connection, a.container, (&url.URL{Path: name}).EscapedPath(),
		&blockblob.ClientOptions{ClientOptions: policy.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}}})
}

func (a *azure) put(ctx context.Context, name, file string) error {
	client, err := a.blob(name)
	if err != nil {
		return err
	}
	from, err := os.Open(file)
	if err != nil {
		return err
	}
	defer from.Close()
	_, err = client.UploadFile(ctx, from, nil)
	if refused := (*azcore.ResponseError)(nil); errors.As(err, &refused) {
		return fmt.Errorf("%s: %s", refused.ErrorCode, reason(refused.RawResponse))
	}
	if failed := (*url.Error)(nil); errors.As(err, &failed) { // its text has the URL, with the token
		return failed.Err
	}
	return err
}

// reason returns the sentence of a response that says why the server refused a request, or its status.
func reason(r *http.Response) string {
	var body struct{ Message string }
	text, err := runtime.Payload(r)
	if err != nil || xml.Unmarshal(text, &body) != nil || body.Message == "" {
		return r.Status
	}
	sentence, _, _ := strings.Cut(body.Message, "\n") // the next lines have the request's ID and the time
	return strings.TrimSpace(sentence)
}
