import EngineTestKit
import JSONValue
import Testing
import WorkflowModel

@testable import Engine

/// Tokens of mail that left before their key was changed.
@Suite struct TokenKeyTests {
    private static let entry = Identifier(high: 1, low: 2)
    private static let place = SharedPlace(project: Identifier(high: 3, low: 4), version: nil, step: "mail")
    private static let link = "https://shop.example/"

    private static func key(_ number: UInt8) -> [UInt8] { Array(repeating: number, count: TokenKeyRing.keyLength) }

    private func signer(_ ring: TokenKeyRing) -> TokenSigner {
        TokenSigner(keys: ring, cryptography: TestCryptography())
    }

    /// How many of its four kinds of text `other` takes for tokens.
    private func accepted(_ signer: TokenSigner, by other: TokenSigner) -> Int {
        let (entry, place) = (Self.entry, Self.place)
        let found: [Bool] = [
            other.verify(signer.token(.unsubscribe, for: entry), kind: .unsubscribe) == entry,
            other.verifyAddress(signer.addressToken(.bounce, for: entry), kind: .bounce) == entry,
            other.verifyLink(signer.token(forLinkTo: Self.link, in: entry))?.destination == Self.link,
            other.verifyShared(signer.token(for: place, link: Self.link))?.place == place,
        ]
        return found.count(where: { $0 })
    }

    @Test func whatEarlierKeysHaveSignedIsGood() {
        let first = TokenKeyRing(Self.key(1))
        let second = first.changed(to: Self.key(2), isForgetting: false)
        let third = second.changed(to: Self.key(3), isForgetting: false)
        for ring in [first, second, third] { #expect(accepted(signer(ring), by: signer(third)) == 4) }
        #expect(accepted(signer(third), by: signer(first)) == 0)
        #expect(accepted(signer(third), by: signer(second)) == 0)
        let foreign = TokenKeyRing(Self.key(9))
        #expect(accepted(signer(foreign), by: signer(third)) == 0)
    }

    @Test func whatWasForgottenIsNoToken() {
        let first = TokenKeyRing(Self.key(1))
        let second = first.changed(to: Self.key(2), isForgetting: false)
        let third = second.changed(to: Self.key(3), isForgetting: true)
        #expect(accepted(signer(first), by: signer(third)) == 0)
        #expect(accepted(signer(second), by: signer(third)) == 0)
        #expect(accepted(signer(third), by: signer(third)) == 4)
    }

    @Test func onlyTheLastEarlierKeysAreKept() {
        var rings = [TokenKeyRing(Self.key(1))]
        for number in 2...7 {
            guard let last = rings.last else { return }
            rings.append(last.changed(to: Self.key(UInt8(number)), isForgetting: false))
        }
        let present = TokenKeyRing(rings[6].bytes)
        #expect(present == rings[6])
        #expect(rings.map { accepted(signer($0), by: signer(present)) } == [0, 0, 4, 4, 4, 4, 4])
    }

    /// Five changes in a row, and the key that has signed everything so far would be gone.
    @Test func noKeyEndsUnasked() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        let before = engine.context.tokens
        let keys = TokenKeys(context: engine.context)
        for count in 1...TokenKeyRing.earlierLimit { #expect(try await keys.change(isForgetting: false) == count) }
        let error = await #expect(throws: UseCaseError.self) { try await keys.change(isForgetting: false) }
        #expect(error?.code == .conflict)
        func present() async throws -> TokenSigner {
            signer(
                TokenKeyRing(
                    try await EngineContext.prepare(
                        store: engine.context.store, clock: engine.clock, cryptography: TestCryptography())))
        }
        #expect(accepted(before, by: try await present()) == 4)
        #expect(try await keys.change(isForgetting: false, isDropping: true) == TokenKeyRing.earlierLimit)
        #expect(accepted(before, by: try await present()) == 0)
    }

    /// What is kept by its hash must be found again.
    @Test func fingerprintsAreTheSameForEver() {
        let first = TokenKeyRing(Self.key(1))
        let hash = signer(first).fingerprint("address", of: "ann@example.org")
        var ring = first
        for number in 2...7 {
            ring = ring.changed(to: Self.key(UInt8(number)), isForgetting: number == 5)
            #expect(signer(ring).fingerprint("address", of: "ann@example.org") == hash)
        }
    }

    @Test func theDatabaseKeepsThemAndTheAuditLogTellsOfIt() async throws {
        let (engine, database) = try await makeEngine()
        let before = engine.context.tokens
        let keys = TokenKeys(context: engine.context.acting(as: .account("ann")))
        #expect(try await keys.change(isForgetting: false) == 1)
        #expect(try await keys.change(isForgetting: false) == 2)
        func next() async throws -> TokenSigner {
            let secret = try await EngineContext.prepare(
                store: engine.context.store, clock: engine.clock, cryptography: TestCryptography())
            return signer(TokenKeyRing(secret))
        }
        let after = try await next()
        #expect(accepted(before, by: after) == 4 && accepted(after, by: before) == 0)
        #expect(try await keys.change(isForgetting: true) == 0)
        let last = try await next()
        #expect(accepted(before, by: last) == 0 && accepted(after, by: last) == 0)
        let rows = try Rows(database.path).run(
            "SELECT actor, target, details FROM audit_log WHERE action = 'tokens.rotated' ORDER BY number")
        #expect(
            rows == [
                ["ann", "tokens", #"{"earlierKeys":1}"#], ["ann", "tokens", #"{"earlierKeys":2}"#],
                ["ann", "tokens", #"{"earlierKeys":0}"#],
            ])
    }
}
