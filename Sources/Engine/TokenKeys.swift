import JSONValue

/// The keys that sign what travels in mail, as one value of the database.
///
/// Its bytes are one key; after a change the key of fingerprints, the present one, and the earlier ones, newest first.
package struct TokenKeyRing: Hashable, Sendable {
    /// Bytes of a key.
    package static let keyLength = 32
    /// Each earlier key costs a computation for every token that comes back.
    package static let earlierLimit = 4

    /// For hashes that are kept, which no change can make anew: the key that was the first.
    let fingerprints: [UInt8]
    /// Signs.
    let present: [UInt8]
    /// What they have signed is still good.
    let earlier: [[UInt8]]

    package init(_ bytes: [UInt8]) {
        let keys = stride(from: 0, to: bytes.count, by: Self.keyLength).map { start in
            Array(bytes[start..<min(start + Self.keyLength, bytes.count)])
        }
        let first = keys.first ?? []
        fingerprints = first
        present = keys.count > 1 ? keys[1] : first
        earlier = Array(keys.dropFirst(2))
    }

    private init(fingerprints: [UInt8], present: [UInt8], earlier: [[UInt8]]) {
        self.fingerprints = fingerprints
        self.present = present
        self.earlier = earlier
    }

    package var bytes: [UInt8] { fingerprints + present + Array(earlier.joined()) }

    /// With another present key.
    /// - Parameter isForgetting: whether nothing that was signed before is good any more.
    func changed(to key: [UInt8], isForgetting: Bool) -> TokenKeyRing {
        TokenKeyRing(
            fingerprints: fingerprints, present: key,
            earlier: isForgetting ? [] : Array(([present] + earlier).prefix(Self.earlierLimit)))
    }
}

/// Changes the key that signs links, pixels, pages and addresses in mail. Nobody configures it: the first start makes it,
/// and it is kept in the database.
package struct TokenKeys: Sendable {
    package let context: EngineContext

    package init(context: EngineContext) { self.context = context }

    static let secretName = "tokens"

    /// Makes a new key. Daemons that run go on with the one that they have.
    /// - Parameters:
    ///   - isForgetting: whether nothing that was signed before is good any more.
    ///   - isDropping: whether the oldest key may go for it, where there are as many as can be kept. It may be the only one that has
    ///     ever signed a mail: a daemon takes a new key with its next start.
    /// - Returns: how many earlier keys are still good.
    /// - Throws: `StoreError`; `UseCaseError.conflict` where the oldest key would have to go and may not.
    package func change(isForgetting: Bool, isDropping: Bool = false) async throws -> Int {
        let key = context.cryptography.randomBytes(TokenKeyRing.keyLength)
        return try await context.transact { transaction in
            let before = TokenKeyRing(try transaction.store.secret(Self.secretName, orInsert: key))
            guard isForgetting || isDropping || before.earlier.count < TokenKeyRing.earlierLimit else {
                throw UseCaseError(
                    .conflict,
                    "\(TokenKeyRing.earlierLimit) earlier keys are good, and the oldest would end, with all links and unsubscribe pages that it has signed: say --drop-oldest, or --forget to end all of them"
                )
            }
            let ring = before.changed(to: key, isForgetting: isForgetting)
            try transaction.store.replaceSecret(Self.secretName, with: ring.bytes)
            try transaction.audit(
                "tokens.rotated", Self.secretName, in: nil,
                details: ["earlierKeys": .int(Int64(ring.earlier.count))])
            return ring.earlier.count
        }
    }
}
