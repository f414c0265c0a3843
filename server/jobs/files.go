package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"hone/core/checkpoint"
	"hone/core/wire"
)

// Files takes and gives the files of users. A file is named by the hash of its content, so what has been sent once is never
// sent again; who has not sent it does not have it, whatever others have.
type Files struct {
	b     *Broker
	spool string // where files lie until they are whole
	limit Limits

	// QuotaOf, if it is set, says how many bytes a user may keep, 0 for what Limits say. It is set before the first request.
	QuotaOf func(user string) int64

	mu   sync.Mutex
	busy map[string]bool // files under way, by user and hash
}

// NewFiles takes files into a spool directory.
func NewFiles(b *Broker, spool string, l Limits) (*Files, error) {
	if err := os.MkdirAll(spool, 0o700); err != nil {
		return nil, fmt.Errorf("jobs: the directory for uploads: %w", err)
	}
	f := &Files{b: b, spool: spool, limit: l, busy: map[string]bool{}}
	b.spool, b.quota, b.room = spool, f.Quota, f.room
	return f, nil
}

// Refusal is an error of what was asked, with its HTTP status.
type Refusal struct {
	Status int
	Text   string
	Offset int64 // with 409: what has come of the file
	cause  error
}

func (r *Refusal) Unwrap() error { return r.cause }

func (r *Refusal) Error() string { return r.Text }

func refuse(status int, format string, args ...any) *Refusal {
	return &Refusal{Status: status, Text: fmt.Sprintf(format, args...)}
}

var hashShape = regexp.MustCompile(`^[0-9a-f]{64}$`)

// own is what is kept of a file that a user has sent.
type own struct {
	Size int64     `json:"size"`
	At   time.Time `json:"at"`
}

// Have says how much of a file has come from a user, and whether it is whole.
func (f *Files) Have(ctx context.Context, user, sha string) (offset int64, whole bool, err error) {
	if !hashShape.MatchString(sha) {
		return 0, false, refuse(400, "%.80q is no SHA-256 in small hexadecimal digits.", sha)
	}
	if size, ok, err := f.b.owns(ctx, user, sha); err != nil || ok {
		return size, ok, err
	}
	st, err := os.Stat(f.part(user, sha))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	return st.Size(), false, nil
}

// HaveOf is Have for a file of which so much has come, and which a run of the user may have in one of its checkpoints.
func (f *Files) HaveOf(ctx context.Context, user, id, sha string, have int64) (offset int64, whole bool, err error) {
	held, err := f.b.held(ctx, user, id)
	if h, ok := held[sha]; ok {
		return h.Size, true, err
	}
	return have, false, err
}

// owns says whether a user has sent a file.
func (b *Broker) owns(ctx context.Context, user, sha string) (int64, bool, error) {
	e, err := b.owned.Get(ctx, user+"."+sha)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("jobs: the files of %s: %w", user, err)
	}
	var o own
	err = json.Unmarshal(e.Value(), &o)
	return o.Size, err == nil, err
}

func (f *Files) part(user, sha string) string { return filepath.Join(f.spool, user, sha+".part") }

// Put takes bytes of a file from an offset on. It says how much there is after them and whether the file is whole; then its
// hash has been checked.
func (f *Files) Put(ctx context.Context, user, sha string, total, offset int64, r io.Reader) (have int64, whole bool, err error) {
	have, whole, err = f.Have(ctx, user, sha)
	if err != nil || whole {
		return have, whole, err
	}
	if total < 0 || total > f.limit.File {
		return have, false, refuse(413, "A file of %d bytes; this server takes up to %d.", total, f.limit.File)
	}
	release, ok := f.hold(user + "." + sha)
	if !ok {
		return have, false, &Refusal{Status: 409, Text: "Somebody else is sending this file now.", Offset: have}
	}
	defer release()
	if have, whole, err = f.Have(ctx, user, sha); err != nil || whole {
		return have, whole, err
	}
	if offset != have {
		return have, false, &Refusal{Status: 409, Text: fmt.Sprintf("There are %d bytes of this file, not %d; go on from there.", have, offset), Offset: have}
	}
	if used, files, err := f.b.usage(ctx, user); err != nil {
		return have, false, err
	} else if most := f.limit.Files; most > 0 && have == 0 && files >= most {
		return have, false, refuse(507, "You have %d files on this server and may have %d. Delete some that you no longer need.", files, most)
	} else if quota := f.Quota(user); used-have+total > quota {
		return have, false, refuse(507, "You have %d bytes on this server and may have %d; %d more do not fit. Delete runs or files you no longer need.", used, quota, total)
	}
	if err := f.room(2*total - have); err != nil { // for a moment it lies there twice, see finish
		return have, false, err
	}
	path := f.part(user, sha)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return have, false, err
	}
	w, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return have, false, err
	}
	n, err := io.Copy(w, io.LimitReader(r, total-have+1)) // what came before an error stays, and the next piece goes on behind it
	err = errors.Join(err, w.Close())
	have += n
	switch {
	case have > total:
		os.Remove(path)
		return 0, false, refuse(400, "More bytes came than the %d of the file; it has to be sent again.", total)
	case err != nil:
		return have, false, fmt.Errorf("jobs: taking a file: %w", err)
	case have < total:
		return have, false, nil
	}
	if err := f.finish(ctx, user, sha, path); err != nil {
		return have, false, err
	}
	return have, true, nil
}

// finish checks a file that has come whole and stores it.
func (f *Files) finish(ctx context.Context, user, sha, path string) error {
	got, size, err := hashOf(path)
	if err != nil {
		return err
	}
	if got != sha {
		os.Remove(path)
		return refuse(422, "The file's SHA-256 is %s, not %s: it was damaged on its way or has changed; it has to be sent again.", got, sha)
	}
	defer f.b.blobs.rely(sha)() // until it is the user's, nobody takes away what is there
	if err := f.b.store(ctx, f.b.files, sha, path); err != nil {
		return err
	}
	raw, err := json.Marshal(own{size, time.Now().UTC()})
	if err == nil {
		_, err = f.b.owned.Put(ctx, user+"."+sha, raw)
	}
	if err != nil {
		return fmt.Errorf("jobs: the files of %s: %w", user, err)
	}
	return os.Remove(path)
}

func hashOf(path string) (string, int64, error) {
	r, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), n, err
}

// hold keeps two connections from sending the same file at once.
func (f *Files) hold(name string) (release func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy[name] {
		return nil, false
	}
	f.busy[name] = true
	return func() {
		f.mu.Lock()
		delete(f.busy, name)
		f.mu.Unlock()
	}, true
}

// store puts a file into an object store under a name that stands for its content, unless it is there.
func (b *Broker) store(ctx context.Context, to jetstream.ObjectStore, name, path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := b.put(ctx, to, name, st.Size(), func(context.Context) (io.ReadCloser, error) { return os.Open(path) }); err != nil {
		return fmt.Errorf("jobs: storing %s: %w", filepath.Base(path), err)
	}
	return nil
}

// stateObject is the name of a file of a run itself.
func stateObject(user, id, sha string) string { return keyOf(user, id) + "." + sha }

// open reads an object of a run.
func (b *Broker) open(ctx context.Context, id, object string) (File, error) {
	o, err := b.read(ctx, b.states, object)
	if err != nil {
		return nil, fmt.Errorf("jobs: a file of run %s (…%.12s…): %w", id, object[strings.LastIndexByte(object, '.')+1:], err)
	}
	return o, nil
}

// openOwn reads a file of the run itself.
func (b *Broker) openOwn(ctx context.Context, r *Record, f wire.Blob) (File, error) {
	if f.Path != checkpoint.LogFile || len(r.State.Log) == 0 {
		return b.open(ctx, r.ID, stateObject(r.User, r.ID, f.SHA256))
	}
	return &inPieces{ctx: ctx, left: r.State.Log, open: func(ctx context.Context, p piece) (File, error) {
		return b.open(ctx, r.ID, stateObject(r.User, r.ID, p.SHA256))
	}}, nil
}

// Open reads a file of a user's run directory as of its last State.
func (f *Files) Open(ctx context.Context, user, id, path string) (wire.Blob, File, error) {
	r, _, err := f.b.get(ctx, user, id)
	if err != nil {
		return wire.Blob{}, nil, err
	}
	named := func(files []wire.Blob) (wire.Blob, bool) {
		for _, blob := range files {
			if blob.Path == path {
				return blob, true
			}
		}
		return wire.Blob{}, false
	}
	if step, ok := checkpointOf(path); ok && r.State != nil && step <= r.State.Step {
		k, err := f.b.checkpoint(ctx, user, id, step)
		if err != nil {
			return wire.Blob{}, nil, err
		}
		if k != nil {
			if blob, ok := named(k.Files); ok {
				in, err := f.b.open(ctx, id, k.object(user, id, blob.SHA256))
				return blob, in, err
			}
		}
	}
	if r.State != nil {
		if blob, ok := named(r.State.Files); ok {
			in, err := f.b.openOwn(ctx, r, blob)
			return blob, in, err
		}
	}
	return wire.Blob{}, nil, &NotFound{id + "/" + path}
}

// checkBlobs refuses names that could lead elsewhere, and files that their user has not sent. Of a run that was here before, those of its
// checkpoints may be among held.
func (b *Broker) checkBlobs(ctx context.Context, user, of string, blobs []wire.Blob, held map[string]heldFile) error {
	seen := map[string]bool{}
	for _, f := range blobs {
		if !localPath(f.Path) || seen[f.Path] {
			return refuse(400, "%s: %.100q cannot be the path of a file in it.", of, f.Path)
		}
		seen[f.Path] = true
		if !hashShape.MatchString(f.SHA256) {
			return refuse(400, "%s: %.80q is no SHA-256.", of, f.SHA256)
		}
		size, ok, err := b.owns(ctx, user, f.SHA256)
		if err != nil {
			return err
		}
		if h, there := held[f.SHA256]; !ok && there && strings.Contains(f.Path, "/") {
			size, ok = h.Size, true
		}
		if !ok || size != f.Size {
			return refuse(409, "%s: the file %.100q has not been sent to this server; send it first.", of, f.Path)
		}
	}
	return nil
}

// localPath reports whether a path stays inside of its folder on every system.
func localPath(p string) bool {
	return p != "" && p != "." && len(p) < 1024 && fs.ValidPath(p) && filepath.IsLocal(filepath.FromSlash(p)) && !strings.ContainsAny(p, "\\:\x00")
}
