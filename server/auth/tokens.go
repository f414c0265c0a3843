package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Token is what is kept of one: never the secret itself.
type Token struct {
	ID       string    `json:"id"` // public; names the token in lists and logs
	User     string    `json:"user"`
	Scope    Scope     `json:"scope"`
	SHA256   string    `json:"sha256"` // of the secret, hex. 256 random bits need no salt and no slow hash
	Created  time.Time `json:"created"`
	LastUsed time.Time `json:"last_used"` // to the minute; zero: never
	Revoked  bool      `json:"revoked,omitempty"`
	Quota    int64     `json:"quota,omitempty"` // bytes that its user may keep; 0: what the server allows everybody
}

// tokenPrefix begins every token, so that one that got into a text is found.
const tokenPrefix = "hone_"

// Tokens are those of a server's data directory, with what their users may keep.
type Tokens struct {
	file[[]Token]
	quotas file[map[string]Quota]
	now    func() time.Time

	mu   sync.Mutex
	used map[string]time.Time // by id, not yet written
	last time.Time            // that uses were written
	uses sync.WaitGroup       // being written
}

// OpenTokens opens the tokens of a data directory, which it makes if need be.
func OpenTokens(dataDir string) (*Tokens, error) {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return nil, fmt.Errorf("auth: the data directory: %w", err)
	}
	t := &Tokens{now: time.Now, used: map[string]time.Time{},
		file:   file[[]Token]{path: filepath.Join(dataDir, "tokens.json"), damaged: "nobody is let in until it is mended or removed"},
		quotas: file[map[string]Quota]{path: filepath.Join(dataDir, "quotas.json"), damaged: "what single users may keep is not known until it is mended or removed"}}
	_, err := t.get()
	_, err2 := t.quotas.get()
	return t, errors.Join(err, err2)
}

// Add makes a token and returns its secret, which is kept nowhere.
func (t *Tokens) Add(user string, scope Scope, quota int64) (Token, string, error) {
	if err := CheckUser(user); err != nil {
		return Token{}, "", err
	}
	if _, err := ParseScope(string(scope)); err != nil {
		return Token{}, "", err
	}
	var raw [38]byte // 48 bits of a public id, 256 of the secret
	rand.Read(raw[:])
	id := hex.EncodeToString(raw[:6])
	secret := tokenPrefix + id + "_" + base64.RawURLEncoding.EncodeToString(raw[6:])
	made := Token{ID: id, User: user, Scope: scope, SHA256: digest(secret), Created: t.now().UTC().Truncate(time.Second), Quota: quota}
	err := t.change(func(list []Token) ([]Token, error) { return append(list, made), nil })
	return made, secret, err
}

// Revoke makes a token worthless from the next request on.
func (t *Tokens) Revoke(id string) error {
	return t.change(func(list []Token) ([]Token, error) {
		for i := range list {
			if list[i].ID == id {
				list[i].Revoked = true
				return list, nil
			}
		}
		return nil, fmt.Errorf("auth: there is no token %.40q; `hone token list` shows them", id)
	})
}

// List gives all tokens, the revoked ones too, oldest first.
func (t *Tokens) List() ([]Token, error) {
	list, err := t.get()
	return slices.Clone(list), err
}

// Valid counts the tokens that let somebody in.
func (t *Tokens) Valid() (int, error) {
	list, err := t.List()
	n := 0
	for _, k := range list {
		if !k.Revoked {
			n++
		}
	}
	return n, err
}

// Never reports whether there has never been a token. A revoked one counts: a server that has had users does not open to everybody
// when the last of them goes. Only without the file it is as new.
func (t *Tokens) Never() (bool, error) {
	list, err := t.List()
	return err == nil && len(list) == 0, err
}

// errUnknown is the same for a token that never was, one with a wrong secret and a revoked one.
var errUnknown = &Denied{Reason: "this token is not valid here: it is mistyped, or was revoked; ask whoever runs the server for another"}

// Who finds out whose token a secret is.
func (t *Tokens) Who(secret string) (Identity, error) {
	list, err := t.get()
	if err != nil {
		return Identity{}, err
	}
	if secret == "" {
		return Identity{}, &Denied{Reason: "this server wants a token: --token, HONE_TOKEN, or the field of the page"}
	}
	id, _, ok := strings.Cut(strings.TrimPrefix(secret, tokenPrefix), "_")
	got, found := digest(secret), Token{}
	for _, k := range list {
		if ok && k.ID == id {
			found = k
		}
	}
	if subtle.ConstantTimeCompare([]byte(got), []byte(found.SHA256)) != 1 || found.Revoked {
		return Identity{}, errUnknown
	}
	t.use(found.ID)
	return Identity{User: found.User, Scope: found.Scope, Token: found.ID}, nil
}

// StillValid reports whether a token that was valid once has not been revoked since.
func (t *Tokens) StillValid(id string) bool {
	list, err := t.get()
	return err == nil && slices.ContainsFunc(list, func(k Token) bool { return k.ID == id && !k.Revoked })
}

// use remembers when a token was used, and writes it down once a minute.
func (t *Tokens) use(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now().UTC().Truncate(time.Minute)
	t.used[id] = now
	if now.Sub(t.last) < time.Minute {
		return
	}
	t.last = now
	used := t.used
	t.used = map[string]time.Time{}
	t.uses.Go(func() {
		t.change(func(list []Token) ([]Token, error) { // that this is lost is no reason to refuse anybody
			for i := range list {
				if at := used[list[i].ID]; at.After(list[i].LastUsed) {
					list[i].LastUsed = at
				}
			}
			return list, nil
		})
	})
}

// Close waits for what is still being written.
func (t *Tokens) Close() { t.uses.Wait() }

func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
