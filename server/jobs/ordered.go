package jobs

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ordered listens to a part of a stream. What it opens at the engine stays there for five minutes unless end takes it away, and a
// stream has room for a thousand of them: without end, pages that come and go would close it for everybody.
func (b *Broker) ordered(ctx context.Context, stream string, c jetstream.OrderedConsumerConfig) (consumer jetstream.Consumer, end func(), err error) {
	if consumer, err = b.js.OrderedConsumer(ctx, stream, c); err != nil {
		return nil, nil, err
	}
	return consumer, func() {
		info := consumer.CachedInfo()
		if info == nil {
			return
		}
		go func() { // nobody waits for an engine that is away
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			_ = b.js.DeleteConsumer(ctx, stream, info.Name) // otherwise it goes by itself
		}()
	}, nil
}
