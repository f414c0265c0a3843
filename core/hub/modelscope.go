package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const pageSize = 200 // files of a data set in one answer

// scopeAnswer is the envelope of ModelScope's API.
type scopeAnswer struct {
	Code    int
	Success *bool
	Message string
	Data    json.RawMessage
}

// scopeFiles is what it holds when the answer is yes.
type scopeFiles struct {
	Files []struct {
		Path, Type, Sha256, Revision string
		Size                         *int64
		CommittedDate                int64
	}
	LatestCommitter struct{ Id string }
}

// listModelScope asks for /api/v1/models/<id>/repo/files, for data sets page by page for /repo/tree.
func (c *client) listModelScope(ctx context.Context, k kind, id, revision string) (listing, error) {
	if revision == "" {
		revision = "master"
	}
	q := url.Values{"Revision": {revision}, "Recursive": {"true"}}
	base := c.base.String() + "/api/v1/" + k.plural() + "/" + id + "/repo/"
	if k != datasets {
		a, err := c.askModelScope(ctx, base+"files?"+q.Encode())
		if err != nil {
			return listing{}, err
		}
		return a.listing(), nil
	}
	var all scopeFiles
	for page := 1; ; page++ {
		q.Set("Root", "/")
		q.Set("PageNumber", strconv.Itoa(page))
		q.Set("PageSize", strconv.Itoa(pageSize))
		a, err := c.askModelScope(ctx, base+"tree?"+q.Encode())
		var s *status
		if page == 1 && errors.As(err, &s) && s.code == http.StatusNotFound { // mirrors know only the address that models have
			a, err = c.askModelScope(ctx, base+"files?"+q.Encode())
		}
		if err != nil {
			return listing{}, err
		}
		if page == 1 {
			all = a
		} else {
			all.Files = append(all.Files, a.Files...)
		}
		if len(a.Files) != pageSize || page >= 500 {
			return all.listing(), nil
		}
	}
}

// askModelScope reads one answer; a refusal may come with status 200.
func (c *client) askModelScope(ctx context.Context, address string) (files scopeFiles, err error) {
	var a scopeAnswer
	if err = c.getJSON(ctx, address, &a); err != nil {
		return files, err
	}
	if a.Success != nil && !*a.Success || a.Code != 0 && a.Code != http.StatusOK {
		code := a.Code
		if code < 400 || code > 599 {
			code = http.StatusNotFound // codes of its own, such as 10010205001 for what does not exist
		}
		return files, &status{code: code, message: short(a.Message)}
	}
	if err := json.Unmarshal(a.Data, &files); err != nil {
		return files, fmt.Errorf("its list of files is not what is expected: %w", err)
	}
	return files, nil
}

func (a *scopeFiles) listing() listing {
	l := listing{Commit: a.LatestCommitter.Id}
	newest := int64(-1)
	for _, f := range a.Files {
		// The commit is not always named; then it is that of the file that changed last.
		if newest < f.CommittedDate && a.LatestCommitter.Id == "" && sha1Shape(f.Revision) {
			newest, l.Commit = f.CommittedDate, f.Revision
		}
		if f.Type == "tree" {
			continue
		}
		g := file{Path: f.Path, Size: -1, Revision: f.Revision}
		if f.Size != nil {
			g.Size = *f.Size
		}
		if sum := strings.ToLower(f.Sha256); sha256Shape(sum) {
			g.SHA256 = sum
		}
		l.Files = append(l.Files, g)
	}
	return l
}

// modelScopeFile is the address of a file: /api/v1/models/<id>/repo?Revision=…&FilePath=….
func (c *client) modelScopeFile(k kind, id, revision string, f file) string {
	if sha1Shape(f.Revision) {
		revision = f.Revision // exactly what was listed, whatever is pushed meanwhile
	}
	q := url.Values{"Revision": {revision}, "FilePath": {f.Path}}
	return fmt.Sprintf("%s/api/v1/%s/%s/repo?%s", c.base, k.plural(), id, q.Encode())
}
