// SPDX-License-Identifier: Apache-2.0

package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// s3 is a bucket of S3.
type s3 struct {
	client *minio.Client
	bucket string
}

// openS3 takes the credentials that S3's own tools find: $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY,
// ~/.aws/credentials, or the role of the machine or of the pod.
func openS3(server *url.URL, region, bucket string) (*s3, error) {
	client, err := minio.New(server.Host, &minio.Options{
		Secure: server.Scheme == "https", Region: region, MaxRetries: 1,
		Creds: credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{},
			&credentials.IAM{Client: &http.Client{Timeout: 10 * time.Second}},
		}),
	})
	return &s3{client, bucket}, err
}

func (s *s3) put(ctx context.Context, name, file string) error {
	_, err := s.client.FPutObject(ctx, s.bucket, name, file,
		minio.PutObjectOptions{ContentType: "application/octet-stream", DisableMultipart: true})
	if code := (minio.ErrorResponse{}); errors.As(err, &code) && code.Code != "" {
		return fmt.Errorf("%s: %s", code.Code, code.Message)
	}
	return err
}
