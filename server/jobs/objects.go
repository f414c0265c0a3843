package jobs

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// transferTime is how long a file may be on its way to or from the engine. An answer that got lost with a connection never comes;
// who waits for it has to give up and do it again. (Single requests have a bound of their own, where their context has none.)
func transferTime(size int64) time.Duration {
	return 20*time.Second + time.Duration(size>>20)*time.Second
}

// put writes what open gives into an object store, under a name that stands for its content, unless it is there.
func (b *Broker) put(ctx context.Context, to jetstream.ObjectStore, name string, size int64, open func(context.Context) (io.ReadCloser, error)) error {
	ctx, cancel := context.WithTimeout(ctx, transferTime(size))
	defer cancel()
	if there, err := b.present(ctx, to, name); err != nil || there {
		return err
	}
	r, err := open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = to.Put(ctx, jetstream.ObjectMeta{Name: name}, r)
	return err
}

// present says whether an object is there with all its pieces. An object whose writer lost the engine before it heard that the last
// message had arrived is entered, while the client has taken its pieces back; who reads it would wait for them.
func (b *Broker) present(ctx context.Context, in jetstream.ObjectStore, name string) (bool, error) {
	info, err := in.GetInfo(ctx, name)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if info.Chunks == 0 {
		return true, nil
	}
	stream, err := b.js.Stream(ctx, "OBJ_"+info.Bucket)
	if err != nil {
		return false, err
	}
	pieces := fmt.Sprintf("$O.%s.C.%s", info.Bucket, info.NUID)
	state, err := stream.Info(ctx, jetstream.WithSubjectFilter(pieces))
	if err != nil {
		return false, err
	}
	return state.State.Subjects[pieces] == uint64(info.Chunks), nil
}

// erase removes an object without a trace. Delete would leave a note of its name for ever, and the engine holds each name in
// memory: a run that saves every minute has had thousands after a day.
func (b *Broker) erase(ctx context.Context, in jetstream.ObjectStore, name string) error {
	info, err := in.GetInfo(ctx, name, jetstream.GetObjectInfoShowDeleted())
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("jobs: removing %s: %w", name, err)
	}
	stream, err := b.js.Stream(ctx, "OBJ_"+info.Bucket)
	if err == nil {
		err = eraseFrom(ctx, stream, info)
	}
	if err != nil {
		return fmt.Errorf("jobs: removing %s: %w", name, err)
	}
	return nil
}

// eraseFrom removes the messages of an object: the pieces first. If it is cut short, whoever removes or writes the object next finds
// its name and makes up for it.
func eraseFrom(ctx context.Context, stream jetstream.Stream, info *jetstream.ObjectInfo) error {
	for _, subject := range []string{"C." + info.NUID, "M." + base64.URLEncoding.EncodeToString([]byte(info.Name))} {
		if err := stream.Purge(ctx, jetstream.WithPurgeSubject("$O."+info.Bucket+"."+subject)); err != nil {
			return err
		}
	}
	return nil
}
