import JSONValue
import MailModel
import Synchronization
import WorkflowModel

/// API keys: made once and shown once, kept as hashes.
package struct Authentication: Sendable {
    package let context: EngineContext

    package init(context: EngineContext) { self.context = context }

    /// A key that was found for a text.
    package struct Found: Sendable, Hashable {
        package var key: APIKey
        package var hash: [UInt8]
        /// Of the catalog that the key was last looked up with.
        package var version: Int64
    }

    /// Makes a key.
    /// - Parameters:
    ///   - name: for people.
    ///   - scopes: nil for everything; only of secret keys.
    /// - Returns: its text, which nobody can see again.
    /// - Throws: `UseCaseError.notFound` for an unknown project, `invalid` for scopes of a public key.
    package func create(
        _ kind: APIKey.Kind, project slug: String, name: String = "", scopes: KeyScopes? = nil
    ) async throws -> String {
        if kind == .public, scopes != nil {
            throw UseCaseError(.invalid, "a public key has no scopes: it may track events and nothing else")
        }
        try Self.check(name: name)
        let (text, hash) = makeText(kind)
        try await context.transact { transaction in
            let project = try transaction.project(slug)
            let key = APIKey(
                id: transaction.makeID(), projectID: project.id, kind: kind, name: name, scopes: scopes)
            try transaction.store.insert(key, hash: hash, at: transaction.now)
            try transaction.audit(
                "key.created", "\(key.id)", in: project.id,
                details: ["kind": .string(kind.rawValue), "name": .string(name), "scopes": .string(scopes?.text ?? "")])
        }
        return text
    }

    /// The project's keys that are still good for something, in the order they were made.
    package func list(project slug: String) async throws -> [KeyRecord] {
        let now = context.clock.now()
        return try await context.store.read { reader in
            guard let project = try reader.loadCatalog().project(slug: slug) else {
                throw UseCaseError(.notFound, "there is no project \(slug)")
            }
            return try reader.keys(of: project.id).filter { $0.key.isValid(at: now) }
        }
    }

    /// Ends a key at once.
    /// - Throws: `UseCaseError.notFound`, also for a key of another project and one that has ended.
    package func revoke(_ id: Identifier, project slug: String) async throws {
        try await context.transact { transaction in
            let project = try transaction.project(slug)
            _ = try Self.current(id, of: project, in: transaction)
            try transaction.store.endKey(id, at: transaction.now)
            try transaction.audit("key.revoked", "\(id)", in: project.id)
        }
    }

    /// Gives a key another text.
    /// - Parameter grace: seconds for which the old text is good as well.
    /// - Returns: the new text, which nobody can see again.
    /// - Throws: `UseCaseError.notFound`, also for a key of another project and one that has ended.
    package func rotate(_ id: Identifier, project slug: String, grace: Int64 = 0) async throws -> String {
        // A digest of random bytes needs no transaction, and the kind is part of the text.
        let texts = APIKey.Kind.allCases.map { ($0, makeText($0)) }
        return try await context.transact { transaction in
            let project = try transaction.project(slug)
            let key = try Self.current(id, of: project, in: transaction)
            guard let (text, hash) = texts.first(where: { $0.0 == key.kind })?.1 else {
                throw UseCaseError(.notFound, "there is no such kind of key")
            }
            try transaction.store.endKey(id, at: transaction.now.adding(seconds: grace))
            try transaction.store.insert(key, hash: hash, at: transaction.now)
            try transaction.audit(
                "key.rotated", "\(id)", in: project.id, details: ["graceSeconds": .int(grace)])
            return text
        }
    }

    /// What a key is, without its end.
    private static func current(
        _ id: Identifier, of project: Project, in transaction: EngineTransaction
    ) throws -> APIKey {
        let texts = try transaction.store.keys(of: project.id).map(\.key)
        guard var key = texts.last(where: { $0.id == id && $0.isValid(at: transaction.now) }) else {
            throw UseCaseError(.notFound, "there is no key \(id) in the project \(project.slug)")
        }
        key.expiresAt = nil
        return key
    }

    private static func check(name: String) throws {
        let isPlain = name.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
        guard name.count <= 100, isPlain else {
            throw UseCaseError(.invalid, "the name of a key has at most 100 characters, and no control characters")
        }
    }

    private func makeText(_ kind: APIKey.Kind) -> (text: String, hash: [UInt8]) {
        let text = "\(kind.rawValue)_\(Base64URL.encode(context.cryptography.randomBytes(24)))"
        return (text, context.cryptography.digest(Array(text.utf8)))
    }

    // MARK: Looking up

    /// The key of that text; nil when nobody has it, or has it any more.
    ///
    /// Keys that were looked up before are remembered, and good for as long as the catalog has not moved.
    /// - Parameter trusting: whether one that was looked up before is taken without asking the database. Then the
    ///   transaction of the request looks whether the catalog has moved, see `EngineTransaction`: right for requests that
    ///   do nothing before it.
    /// - Parameter address: the client's, as text. Who tries too many keys that nobody has is not looked up any more for a
    ///   while; keys that were looked up before still count.
    /// - Throws: `UseCaseError.rateLimited`.
    package func find(
        _ text: String, trusting: Bool = false, from address: @autoclosure () -> String = ""
    ) async throws -> Found? {
        let hash = context.cryptography.digest(Array(text.utf8))
        // Nearly every request: nobody asks where it comes from.
        if let known = context.keys.find(hash) {
            return try await trusting ? checked(known) : look(up: text, hash, known: known)
        }
        let address = address()
        guard let rate = context.configuration.strangerRate, Self.isCounted(address) else {
            return try await look(up: text, hash, known: nil)
        }
        let network = PixelClient.network(of: address)
        guard context.strangers.hasToken(network, rate, at: context.clock.now()) else {
            throw UseCaseError(.rateLimited, "too many unknown keys came from there; try again in a minute")
        }
        if let found = try await look(up: text, hash, known: nil) { return found }
        _ = context.strangers.take(network, rate, at: context.clock.now())
        return nil
    }

    /// Behind a proxy that tells nothing of its clients all of them come from the machine itself: nobody should keep the
    /// others out.
    private static func isCounted(_ address: String) -> Bool { ClientNetwork(address: address) != .loopback }

    /// The key of that text, if it was looked up before; see `find` with `trusting`.
    package func remembered(_ text: String) -> Found? {
        context.keys.find(context.cryptography.digest(Array(text.utf8))).flatMap { checked($0) }
    }

    private func look(up text: String, _ hash: [UInt8], known: Found?) async throws -> Found? {
        guard text.hasPrefix("pk_") || text.hasPrefix("sk_"), text.utf8.count <= 128 else { return nil }
        let found = try await context.store.read { reader -> Found? in
            let version = try reader.catalogVersion()
            if let known, known.version == version { return known }
            return try reader.key(hash: hash).map { Found(key: $0, hash: hash, version: version) }
        }
        guard let found else {
            context.keys.forget(hash)
            return nil
        }
        if found != known { context.keys.remember(found) }
        return checked(found)
    }

    /// The key of that text; nil when nobody has it.
    package func key(_ text: String) async throws -> APIKey? { try await find(text)?.key }

    private func checked(_ found: Found) -> Found? {
        let now = context.clock.now()
        guard found.key.isValid(at: now) else { return nil }
        if context.keys.mustTouch(found.hash, at: now) {
            // Nobody waits for it, and one that is lost is made up for within a minute.
            context.store.submit({ try $0.touchKey(hash: found.hash, at: now) }, completion: { _ in })
        }
        return found
    }
}

extension EngineTransaction {
    /// - Throws: `UseCaseError.notFound`.
    func project(_ slug: String) throws -> Project {
        guard let project = catalog.project(slug: slug) else {
            throw UseCaseError(.notFound, "there is no project \(slug)")
        }
        return project
    }
}

/// Keys that were looked up, by the hash of their text. What is not known is not remembered: strangers would fill it.
final class KeyCache: Sendable {
    private struct Content {
        var keys: [Name: Authentication.Found] = [:]
        var touched: [Name: Timestamp] = [:]
    }

    /// A hash as what it is found by: it is as random as can be, so that eight of its bytes are enough to sort it by.
    private struct Name: Hashable {
        let hash: [UInt8]

        func hash(into hasher: inout Hasher) {
            let word = hash.withUnsafeBytes { $0.count < 8 ? UInt64($0.count) : $0.loadUnaligned(as: UInt64.self) }
            hasher.combine(word)
        }
    }

    private static let limit = 1000
    /// Seconds between two notes of a key's use.
    private static let touchInterval: Int64 = 60

    private let content = Mutex(Content())

    func find(_ hash: [UInt8]) -> Authentication.Found? { content.withLock { $0.keys[Name(hash: hash)] } }

    func remember(_ found: Authentication.Found) {
        content.withLock {
            if $0.keys.count >= Self.limit { $0.keys.removeAll() }
            $0.keys[Name(hash: found.hash)] = found
        }
    }

    func forget(_ hash: [UInt8]) { content.withLock { _ = $0.keys.removeValue(forKey: Name(hash: hash)) } }

    func mustTouch(_ hash: [UInt8], at now: Timestamp) -> Bool {
        let name = Name(hash: hash)
        return content.withLock { content in
            if let last = content.touched[name], now < last.adding(seconds: Self.touchInterval) { return false }
            if content.touched.count >= Self.limit { content.touched.removeAll() }
            content.touched[name] = now
            return true
        }
    }
}
