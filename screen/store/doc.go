// Package store keeps snapshots in Redis: a Publisher writes them, Readers load
// and follow them. They are different types for different Redis users, and no
// other package talks to Redis.
//
// # Keys
//
// Every key begins with "walletscreen:{NAMESPACE}:", so that all of them live in
// one hash slot. NAMESPACE is "default" unless configured.
//
//	key                  type    holds
//	head                 hash    what is served: schema, sequence, digest, created_at
//	snapshots            hash    sequence -> manifest (JSON) of every snapshot kept
//	content:DIGEST:N     string  piece N (from 0, 4 MiB each) of the canonical encoding with that SHA-256
//	verified             hash    list id -> how it stands to what its publisher offers (JSON)
//	listings             hash    canonical key -> listings of the account (JSON), for people with redis-cli
//	listings:DIGEST      hash    the same while it is being written; expires
//	claim:NAME           string  which loader is at the work of that name; expires
//	changed              channel a message for every new head and every verification
//
// A person looks an account up with one command:
//
//	redis-cli --raw HGET 'walletscreen:{default}:listings' tron:00be5e0c85be35948d97ad37f62d108243f89ae0
//
// That is TA3941uFAvmVibSkQ6fMJXxmaSNovX86mz; package address says how accounts
// are written as canonical keys. The answer is a JSON array with the list, the
// kind, the party, its programs and the days of each listing. Listings that have ended
// stand there too, with the first day on which they no longer count as
// "delisted". A text that nobody can read as an address stands there as "text:"
// and itself.
//
// No server reads that hash; what is served is the content, verified.
//
// # The life of one designation
//
// A publisher lists an address. The loader reads the publication, merges it into
// the newest snapshot and hands the result to Publish:
//
//  1. The canonical encoding is written in pieces under its own digest, with an
//     hour to live. Two loaders that write different content never touch the
//     same key; two that write the same content write the same bytes.
//  2. The pieces are read back, their digest compared, and the content decoded as
//     a Reader will.
//  3. One script, atomic in Redis, checks that the head is still the one that
//     the merge began with, makes the pieces permanent, adds the manifest and
//     sets the head last. If another loader was faster nothing changes and
//     Publish returns screen.ErrConflict: merge again.
//  4. The same script publishes on the channel. Readers that miss the message
//     find the new head when they poll.
//
// A Reader loads the pieces that the head names, and refuses them unless their
// SHA-256 is the digest. It sees the old snapshot or the new one, whatever dies
// between two steps: pieces that no head names expire.
//
// A delisting is one more publication: the listing stays in the content with
// the end of its interval. A publication that brings nothing new is recorded with
// Verify, by a script that checks the head as well.
//
// An entry of verified is about the one publication whose SHA-256 it names:
//
//	sha256       the publication that the snapshot holds; none while it holds no publication of the list
//	verified_at  when that was last found to be what the publisher offers; none if never
//	source       where it was read
//	fetched      what the publisher's servers said of the documents (url, etag, last_modified, at, sha256)
//	held         another publication, that a guard stopped: since, published_on, sha256, source, why, and how
//	             many rows would be listed, delisted, amended
//
// A publication that a guard stops is not in any content. It is recorded with
// Verify beside the one before it, whose verified_at stands still: servers say that
// it is held, and that the list is stale when it has been for long. An operator's
// release is a publish like any other, and its entry has no held. A list whose first
// publication is held has an entry before the snapshot has the list; it says
// nothing any more when the list comes.
//
// Loaders that begin the same work at one time would all fetch the same documents.
// Each takes a claim first (SET NX PX with a random token) and leaves the work alone
// if another has it. Only who knows the token renews or releases a claim; that of a
// loader that died expires. Nothing that is published depends on claims.
//
// Snapshots beyond the number to keep are retired after a publish, never the
// head; content goes when no kept snapshot names it.
//
// # Trust
//
// Redis distributes; it is not trusted with content: readers verify the digest
// that the head names. Whoever can write to Redis can still point the head at
// other content, so give readers a Redis user that cannot write:
//
//	ACL SETUSER reader on >PASSWORD ~walletscreen:{default}:* &walletscreen:{default}:* -@all +hgetall +hget +getrange +subscribe +unsubscribe +ping
//
// Loaders need no more than:
//
//	ACL SETUSER loader on >PASSWORD ~walletscreen:{default}:* &walletscreen:{default}:* -@all +hgetall +hget +hmget +hkeys +hvals +hlen +hexists +hset +hdel +get +getrange +strlen +set +del +unlink +rename +type +expire +pexpire +persist +sadd +srem +smembers +xadd +publish +multi +exec +eval +evalsha +ping
//
// Redis 7.0 or newer is needed, with its default maxmemory-policy noeviction: a
// Redis that evicts keys takes pieces of snapshots.
//
// # Repair
//
// Servers go on with what they hold whatever happens here. If the content of the
// current snapshot is damaged, no publisher can build on it, and each says so with
// the key: put Redis' data back from a backup, or set sequence, digest and
// created_at of the head to those of an older manifest in snapshots; the next load
// goes on from there. After a flush the next load begins at 1 with an empty
// history; servers report every list that is gone or older than before.
//
// # Schema
//
// The head carries the number of this schema. A Reader refuses another number
// and goes on with what it has; the next schema will use other keys beside
// these until all readers understand it.
package store
