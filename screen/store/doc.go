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
//	head                 hash    what is served: schema, sequence, digest, created_at; if signed: statement, signature, signature_key_id
//	snapshots            hash    sequence -> manifest (JSON) of every snapshot kept
//	content:DIGEST       string  the pieces of the canonical encoding with that SHA-256, in order: a line each, SHA-256 and bytes
//	piece:SHA256         string  one piece, of up to 1 MiB; snapshots share them
//	pins                 hash    name -> sequence of a snapshot that is never retired
//	retired              set     digests of contents that no manifest names and whose pieces are to be dropped
//	rolled_back          hash    SHA-256 of a publication that an operator took back -> sequence that it was taken from
//	changes              stream  an entry for every new head: sequence, digest, created_at, changes (JSON)
//	verified             hash    list id -> how it stands to what its publisher offers (JSON; if signed, a second line with the signature)
//	listings             hash    canonical key -> listings of the account (JSON), for people with redis-cli
//	listings:DIGEST      hash    the same while it is being written anew; expires
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
//  1. The canonical encoding is cut in pieces where its lines say so (pieces.go has
//     the rule). Those that are not there yet are written under their own digests,
//     with an hour to live, and so is the list of all. Two loaders that write the
//     same key write the same bytes.
//  2. Every piece is read back and compared, those that were there already too: one
//     that was spoiled is written again.
//  3. One script, atomic in Redis, checks that the head is still the one that
//     the merge began with and that every piece is there with its size, makes the
//     pieces permanent, adds the manifest, changes the listings for people, adds an
//     entry to the stream and sets the head last. If another loader was faster
//     nothing changes and Publish returns screen.ErrConflict: merge again.
//     A Publisher with a key signs a statement about the snapshot (package signing),
//     which the script sets in the manifest and the head.
//  4. The same script publishes on the channel. Readers that miss the message
//     find the new head when they poll.
//
// A Reader loads the pieces that the head names and that the snapshot it has does not
// hold, and refuses them unless each has its digest and all together that of the
// head. If it is given keys, it looks at the signature of the head before that. It sees the old snapshot or the new one, whatever dies
// between two steps: pieces that no head names expire.
//
// What the commit compares is the fence. Sequence numbers only grow, also with a
// rollback, so no head is ever the same as one before: a loader that slept, for an
// hour or through the end of its claim, commits against a head that is not there any
// more and changes nothing. What it stages meanwhile expires. What it staged
// before has expired, or was dropped with another snapshot: the commit finds a piece
// missing, and it is staged again.
//
// The stream is for people and later readers; it keeps about the last 1000 entries:
//
//	redis-cli XREVRANGE 'walletscreen:{default}:changes' + - COUNT 10
//
// changes counts the rows that were listed, delisted and amended, list by list, and
// names the snapshots of a rollback: {"lists":[{"id":"us-ofac-sdn","listed":53,"delisted":0,"amended":1}]}.
//
// A newer program may read more in the same document. That is no other publication:
// its record keeps SHA-256 and date, and what is said of it becomes what is read now,
// as if it had been read so at once (screen.Snapshot.Merge). It is a new snapshot with
// its entry in the stream, stopped by guards as any other.
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
//	read_by      version of the program that read it last
//	held         another publication, that a guard stopped or an operator took back: since, published_on,
//	             sha256, source, why, how many rows would be listed, delisted, amended, and rolled_back, the
//	             snapshot that it was taken back with
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
// head and none that a pin names. One script drops their manifests and remembers their
// contents in retired. The publisher then finds the pieces that no kept content
// names and drops them a thousand at a time, by a script that does nothing once
// the head is another: a commit may have named one of them. A publisher that dies
// meanwhile leaves the rest to the next.
//
// # Rollback
//
// A rollback publishes the content of a kept snapshot under a new number; manifest
// and stream say which snapshot it took back. Publications that only the one taken
// back holds are put into rolled_back and recorded as held, so that servers tell, and
// age the list from when the publication that is served again had come. So is one that
// both hold and that was read otherwise in each. Publish refuses them, wherever in the
// history of their list they would come; loaders hold them (TakenBack), and
// `walletscreen load --release` lets them through and ends that. The next publication of
// the list is another one and is not refused: it is a complete list, and if its
// publisher did not correct it, it holds again what was taken back.
//
// An entry of rolled_back ends when its publication is released, or served again by
// another rollback, and in no other way. It has about a hundred bytes, and there is at
// most one for each publication that an operator took back and that stayed so: nothing
// but people at work adds any. No rule by age would do: a document that does not say
// its date (OFAC's CSV, an operator's own list) is of the day on which it is loaded,
// so one that was taken back years ago would come as the newest of its list.
// After a flush the last of each list comes back with what is known of the list.
//
// # Trust
//
// Redis distributes; it is not trusted with content: readers verify the digest
// that the head names. Whoever can write to Redis can still point the head at
// other content, unless it is signed. With keys (Options.Trusted) a head is refused
// that none of them signed for this namespace, number, digest and time, by readers,
// which go on with what they have, and by publishers, which build upon nothing else: what is
// published next holds the history of it. Sign is the way to begin to sign, and to
// replace a key; Rollback goes back to a snapshot that is signed, whatever the head is.
//
// Each entry of verified is signed for itself, over the SHA-256 of its first line.
// For who has keys, one that is not signed is not there: the list ages. A signature
// that was valid stays so: whoever replays an older entry makes a list look older,
// and an older head is refused by who holds a newer one (ErrOlder). Both signatures
// are verified once, not with every look. Everything else is unsigned, and no reader
// relies on it: of a manifest only what the signed digest confirms. docs/signatures.md
// is for operators.
//
// A Redis user that cannot write does for readers:
//
//	ACL SETUSER reader on >PASSWORD ~walletscreen:{default}:* &walletscreen:{default}:* -@all +hgetall +hget +getrange +subscribe +ping
//
// Loaders need no more than:
//
//	ACL SETUSER loader on >PASSWORD ~walletscreen:{default}:* &walletscreen:{default}:* -@all +hgetall +hget +hmget +hkeys +hvals +hlen +hexists +hset +hdel +get +getrange +strlen +set +del +unlink +rename +type +expire +pexpire +persist +sadd +srem +smembers +xadd +publish +multi +exec +eval +evalsha
//
// The servers of a cluster are asked who has the slot, and may send a command on
// while it moves: there both users need two commands more.
//
//	ACL SETUSER reader +cluster|slots +asking
//	ACL SETUSER loader +cluster|slots +asking
//
// Sentinels, if they ask for a login at all, are asked one thing:
//
//	ACL SETUSER finder on >PASSWORD -@all +sentinel|master
//
// Redis does not copy users: make them on every server, replicas and sentinels too.
//
// Redis 7.0 or newer is needed, with its default maxmemory-policy noeviction: a
// Redis that evicts keys takes pieces of snapshots.
//
// # Where Redis is
//
// One URL says where Redis is and how to log in there:
//
//	redis://[USER[:PASSWORD]@]HOST[:PORT][/DB]                           one server, port 6379
//	unix://[USER[:PASSWORD]@]/PATH                                      its socket
//	redis+sentinel://[USER[:PASSWORD]@]HOST[:PORT],.../MASTER[/DB]       the master that sentinels name, port 26379
//	redis+cluster://[USER[:PASSWORD]@]HOST[:PORT],...                    a cluster, some of its servers, port 6379
//
// With rediss in place of redis everything is by TLS 1.2 or newer, sentinels
// included. Name all sentinels: no others are asked. Parameters follow a "?" and are
// joined by "&"; one that is not known is an error:
//
//	password_file           file that holds the password, in place of one in the URL
//	db                      number of the database, for unix:// only
//	tls_ca                  file of the authorities, in place of those of the system
//	tls_cert, tls_key       files of the client's certificate and its key
//	tls_server_name         name in the servers' certificates, in place of the host that is dialed
//	sentinel_user           how to log in at sentinels, which have users of their own
//	sentinel_password_file
//
// Other programs on the machine can read a password in a command line, so prefer
// password_file. These files are read for each connection: passwords and
// certificates can be changed without a restart. What is no letter or digit in a
// user, password or path may need to be written as %40 or the like.
//
// # When a master dies
//
// Both readers and publishers talk to masters. A replica may be behind, and what a
// reader takes from it would be, too; reading is rare and small enough for one
// server. A publisher that is given a replica says that it is read-only.
//
// When another server becomes the master, whoever waits for the old one fails, and
// finds the new one with the next attempt: a reader when it polls. A publisher is
// never left in doubt for long: Publish says that next is current, or that the head
// is what it was, or fails, and then the head is one or the other, and the next load
// goes on from it. No command that may have been carried out is sent twice.
//
// Redis copies to replicas after it has answered. The last snapshots that were
// published may therefore be lost with a master, all of them whole: the head, what
// it names and the verifications beside it are copied in the order of their writing.
// Readers that had it already go on with it and refuse the older head, with ErrOlder,
// until a newer one is there: a head must have a higher number or a later time than
// what a reader holds. A rollback has a higher number; the first snapshot after a
// flush has a later time. None is given an earlier time than the one before it, nor the
// same: if the clock of that one's publisher was ahead, it is one millisecond later.
//
// Publishers need not have anything new for that. A loader that finds the head behind
// the one that it saw last publishes that again, whole, with its next import
// (Restore): it stays and has it in memory, or has a file of it (--cache-dir). For
// any other, what was known of the documents is lost with the head, so its next
// load fetches again and publishes what is not in the older snapshot; if that is
// nothing, `walletscreen snapshot republish` publishes the older one under the next
// number and a later time, and servers take it.
//
// Give masters of a sentinel or a cluster
//
//	min-replicas-to-write 1
//	min-replicas-max-lag 10
//
// so that one that is cut off from its replicas refuses to publish (NOREPLICAS)
// in place of accepting for long what will be lost. There is no WAIT after a commit: it
// could not take back what it found not to be copied.
//
// # Repair
//
// Servers go on with what they hold whatever happens here. If a piece of the
// current snapshot is damaged, a loader that has the snapshot in memory writes it again
// with its next publish; another says which key it is. `walletscreen
// snapshot verify` finds the damage, `walletscreen snapshot rollback` serves an older
// snapshot without reading the damaged one.
//
// If Redis' data are put back from a backup, servers that run refuse the older head,
// as after a failover that lost it: see above. Do not set the head by hand.
//
// After a flush a loader that stays, or has --cache-dir, publishes what was current
// when it looked last once more, under the next number. Without one the next load
// begins at 1 with an empty history; servers report every list that is gone or older
// than before. If one without is faster than one that has what was lost, that one says
// so and changes nothing. Servers refuse a first snapshot whose publisher's clock is
// behind what they hold, until the time has come. Pins, the stream and snapshots before
// that one are lost.
//
// # Sizes
//
// Measured with BenchmarkPublish on two cores, Redis on loopback; a listing has 64
// bytes, the change is one row more of one party. A Reader that has the snapshot
// before reads:
//
//	listings   content   whole: bytes, commands   one row: bytes, commands
//	1 000      65 KB     69 KB, 35                10 KB, 9
//	5 000      322 KB    335 KB, 135              17 KB, 9
//	1 000 000  64 MB     64 MB, 1207              279 KB, 9
//
// Of the 279 KB about 85 KB are the list of 1200 pieces. A Publisher writes 42 KB,
// 77 KB and 0.6 MB for that row, the names of the pieces that it reads back
// included.
//
// Redis serves nobody else while a script runs. At 5 000 listings none takes 10 ms; at
// a million, when all of it is replaced, the longest took 22 ms, and a command that
// writes a thousand accounts for people 110 ms. Beside them 99 of 100 PINGs were
// answered within 0.2 ms (TestBlocking -blocking 1000000, two busy cores).
//
// From the call of Publish to the answer of the last of 8 servers, 99 of 100 times
// (TestPropagation -propagations 200, all on two cores): 42 ms at 2 000 listings,
// 98 ms at 5 000.
//
// A server that follows a million listings, and answers 200 requests a second of 100
// addresses each beside it (TestServingDuringSwaps -swap-listings 1000000 -swap-before
// 10s -swap-rate 200, on two busy cores), serves a snapshot with one row more 2.7 s
// after the head is there; on quiet ones it takes about half of that. It rests while
// it builds (package pace), so that calls do not wait: 99 of 100 were answered within
// 8.8 ms before, 13.3 ms meanwhile. It had 386 MiB at most with the first snapshot
// and 1157 MiB while it took others over; docs/operations.md has advice about memory.
//
// # Schema
//
// The head carries the number of this schema, 2. A Reader refuses another number
// and goes on with what it has, and a Publisher changes nothing; so do those of
// schema 1, which had pieces of 4 MiB under the digest of the whole. The next schema
// will use other keys beside these until all readers understand it. From 1 to 2
// nothing does so, as no release wrote 1: drop its keys, or use another namespace.
package store
