package link

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"hone/core/wire"
)

// Headers of what a server says of a file.
const (
	HeaderHave  = "Hone-Have"  // bytes that have come
	HeaderWhole = "Hone-Whole" // "true" when that is all of it, checked
)

// Piece is how many bytes travel in one request.
const Piece = 8 << 20

// Files are the files of a server.
type Files struct {
	URL   string
	Token string
	HTTP  *http.Client

	Run string // if it is set, what this run has there in its checkpoints counts as being there
}

// Refused is what a server answers that it will not do.
type Refused struct {
	Status int
	Text   string
}

func (r *Refused) Error() string { return fmt.Sprintf("the server says (%d): %s", r.Status, r.Text) }

// patience is how often a piece is tried, with longer and longer waits, before a file is given up.
const patience = 12

// Send brings a file to the server, from where it was interrupted, and not at all where the server has it. open gives the file
// from an offset on. tell, if given, hears how much is there.
func (f Files) Send(ctx context.Context, b wire.Blob, open func(offset int64) (io.ReadCloser, error), tell func(have int64)) error {
	have, whole, err := int64(0), false, error(nil)
	known := false
	for try := 0; try < patience; {
		if !known {
			if have, whole, err = f.Have(ctx, b.SHA256); err == nil {
				known = true
			}
		}
		if known && !whole {
			var now int64
			if now, whole, err = f.piece(ctx, b, have, open); err == nil && (now > have || whole) {
				try = 0
			}
			known = err == nil // otherwise the server is asked
			have = now
		}
		if tell != nil && err == nil {
			tell(have)
		}
		if whole && err == nil {
			return nil
		}
		var r *Refused
		if errors.As(err, &r) && r.Status != http.StatusConflict && r.Status != http.StatusTooManyRequests && r.Status < 500 || r != nil && r.Status == http.StatusInsufficientStorage {
			return fmt.Errorf("sending %s: %w", b.Path, err)
		}
		if err != nil {
			try++
			if e := pause(ctx, try); e != nil {
				return e
			}
		}
	}
	return fmt.Errorf("sending %s: %w", b.Path, err)
}

func pause(ctx context.Context, try int) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(min(100*time.Millisecond<<min(try, 6), 5*time.Second)):
		return nil
	}
}

// Have asks how many bytes of a file have come, and whether these are all of it, checked.
func (f Files) Have(ctx context.Context, sha string) (int64, bool, error) {
	path := "/files/" + sha
	if f.Run != "" {
		path += "?run=" + url.QueryEscape(f.Run)
	}
	res, err := f.do(ctx, http.MethodHead, path, nil, 0, nil)
	if err != nil {
		return 0, false, err
	}
	defer res.Body.Close()
	have, err := strconv.ParseInt(res.Header.Get(HeaderHave), 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("%s does not say how much it has; is it a server of Hone?", f.URL)
	}
	return have, res.Header.Get(HeaderWhole) == "true", nil
}

// piece sends one.
func (f Files) piece(ctx context.Context, b wire.Blob, offset int64, open func(int64) (io.ReadCloser, error)) (int64, bool, error) {
	in, err := open(offset)
	if err != nil {
		return offset, false, &Refused{0, err.Error()} // of this side; trying again would not help
	}
	defer in.Close()
	n := min(Piece, b.Size-offset)
	res, err := f.do(ctx, http.MethodPut, fmt.Sprintf("/files/%s?size=%d&offset=%d", b.SHA256, b.Size, offset), io.LimitReader(in, n), n, nil)
	if err != nil {
		return offset, false, err
	}
	defer res.Body.Close()
	var said struct {
		Have  int64 `json:"have"`
		Whole bool  `json:"whole"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<16)).Decode(&said); err != nil {
		return offset, false, err
	}
	return said.Have, said.Whole, nil
}

// Take brings a file of a run here, behind the bytes that w has already.
func (f Files) Take(ctx context.Context, run string, b wire.Blob, w io.Writer, have int64) error {
	var err error
	for try := 0; try < patience; {
		if have >= b.Size {
			return nil
		}
		var res *http.Response
		res, err = f.do(ctx, http.MethodGet, "/files/run/"+escape(run)+"/"+escape(b.Path), nil, 0, http.Header{"Range": {fmt.Sprintf("bytes=%d-", have)}})
		if err == nil {
			if have > 0 && res.StatusCode != http.StatusPartialContent {
				res.Body.Close()
				return fmt.Errorf("taking %s: the server gives no parts of files", b.Path)
			}
			var n int64
			n, err = io.Copy(w, io.LimitReader(res.Body, b.Size-have))
			res.Body.Close()
			if have += n; n > 0 {
				try = 0
			}
			if err == nil && have < b.Size {
				err = io.ErrUnexpectedEOF
			}
			if err == nil {
				return nil
			}
		}
		var r *Refused
		if errors.As(err, &r) && r.Status < 500 && r.Status != http.StatusTooManyRequests {
			break
		}
		try++
		if e := pause(ctx, try); e != nil {
			return e
		}
	}
	return fmt.Errorf("taking %s: %w", b.Path, err)
}

// escape writes a path of names for an address.
func escape(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

func (f Files) do(ctx context.Context, method, path string, body io.Reader, size int64, header http.Header) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(f.URL, "/")+path, body)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		r.Header[k] = v
	}
	if body != nil {
		if r.ContentLength = size; size == 0 {
			r.Body = http.NoBody
		}
	}
	if f.Token != "" {
		r.Header.Set("Authorization", "Bearer "+f.Token)
	}
	client := f.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<12)) // what the server says of it, as far as it comes
		res.Body.Close()
		return nil, &Refused{res.StatusCode, strings.TrimSpace(string(text))}
	}
	return res, nil
}
