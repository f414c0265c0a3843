package auth

import (
	"errors"
	"maps"
)

// Quota is what a user may have on a server. What is 0 is not said: then the user's tokens say it, or the server for everybody.
type Quota struct {
	Bytes int64 `json:"bytes,omitempty"` // of files and runs
	Runs  int   `json:"runs,omitempty"`  // that are not over
}

// Quotas are those that administrators have said, by user. They stand in a file beside that of the tokens.
func (t *Tokens) Quotas() (map[string]Quota, error) {
	all, err := t.quotas.get()
	return maps.Clone(all), err
}

// SetQuota says what a user may have, from now on; with the zero value nothing is said any more. What is there already stays.
func (t *Tokens) SetQuota(user string, to Quota) error {
	if err := CheckUser(user); err != nil {
		return err
	}
	if to.Bytes < 0 || to.Runs < 0 {
		return errors.New("auth: a quota is 0 or more")
	}
	return t.quotas.change(func(all map[string]Quota) (map[string]Quota, error) {
		if all == nil {
			all = map[string]Quota{}
		}
		if all[user] = to; to == (Quota{}) {
			delete(all, user)
		}
		return all, nil
	})
}

// Runs is how many runs of a user may be unfinished at the same time, 0 where nobody says anything.
func (t *Tokens) Runs(user string) int {
	all, err := t.quotas.get()
	if err != nil {
		return 0
	}
	return all[user].Runs
}

// Quota is how many bytes a user may keep: what an administrator has said, or the most that one of the user's tokens says, 0 where
// nobody says anything. It is the user's, as are the files, whichever token they were sent with.
func (t *Tokens) Quota(user string) (most int64) {
	if all, err := t.quotas.get(); err == nil && all[user].Bytes > 0 {
		return all[user].Bytes
	}
	list, err := t.get()
	if err != nil {
		return 0
	}
	for _, k := range list {
		if k.User == user && !k.Revoked {
			most = max(most, k.Quota)
		}
	}
	return most
}
