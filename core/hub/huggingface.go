package hub

import (
	"context"
	"net/url"
	"strings"
)

// file is a file of a repository.
type file struct {
	Path     string `json:"path"`               // slashes, relative
	Size     int64  `json:"size"`               // -1: the hub does not say
	SHA256   string `json:"sha256,omitempty"`   // hex, of the content
	GitSHA1  string `json:"git_sha1,omitempty"` // hex, of the git blob; large files of Hugging Face have SHA256 instead
	Revision string `json:"revision,omitempty"` // the commit that changed it last, on ModelScope
}

// listing is what a repository holds at a commit.
type listing struct {
	Commit   string `json:"commit"`
	Revision string `json:"revision,omitempty"` // that was asked for; empty: none
	Files    []file `json:"files"`
}

// listHuggingFace asks for /api/models/<id>/revision/<revision>?blobs=true: a "sha" and "siblings" with sizes and hashes.
func (c *client) listHuggingFace(ctx context.Context, k kind, id, revision string) (listing, error) {
	if revision == "" {
		revision = "main"
	}
	var answer struct {
		SHA      string `json:"sha"`
		Siblings []struct {
			Path   string `json:"rfilename"`
			Size   *int64 `json:"size"`
			BlobID string `json:"blobId"`
			LFS    *struct {
				Size   *int64 `json:"size"`
				SHA256 string `json:"sha256"`
				OID    string `json:"oid"` // an older name of the same
			} `json:"lfs"`
		} `json:"siblings"`
	}
	address := c.base.String() + "/api/" + k.plural() + "/" + id + "/revision/" + url.PathEscape(revision) + "?blobs=true"
	if err := c.getJSON(ctx, address, &answer); err != nil {
		return listing{}, err
	}
	l := listing{Commit: answer.SHA}
	for _, s := range answer.Siblings {
		f := file{Path: s.Path, Size: -1}
		if s.Size != nil {
			f.Size = *s.Size
		}
		switch {
		case s.LFS != nil:
			if s.LFS.Size != nil {
				f.Size = *s.LFS.Size
			}
			for _, sum := range []string{s.LFS.SHA256, strings.TrimPrefix(s.LFS.OID, "sha256:")} {
				if sha256Shape(sum) {
					f.SHA256 = sum
				}
			}
		case sha1Shape(s.BlobID):
			f.GitSHA1 = s.BlobID
		}
		l.Files = append(l.Files, f)
	}
	return l, nil
}

// huggingFaceFile is the address of a file: /<id>/resolve/<commit>/<path>, for data sets below /datasets.
func (c *client) huggingFaceFile(k kind, id, revision, path string) string {
	prefix := "/"
	if k == datasets {
		prefix = "/datasets/"
	}
	return c.base.String() + prefix + id + "/resolve/" + url.PathEscape(revision) + "/" + escapePath(path)
}

func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}
