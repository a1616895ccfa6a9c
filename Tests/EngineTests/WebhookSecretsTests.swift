import Engine
import EngineTestKit
import SQLStore
import Testing
import WorkflowModel

@Suite struct WebhookSecretsTests {
    private func fixture() async throws -> (EngineFixture, TemporaryDatabase) {
        let database = try TemporaryDatabase()
        return (try await EngineFixture(store: try SQLiteStore(path: database.path, exclusively: true)), database)
    }

    @Test func secretIsMadeOnceAndShownAgain() async throws {
        let (fixture, database) = try await fixture()
        let secrets = WebhookSecrets(context: fixture.context)
        let first = try await secrets.show(project: "default")
        #expect(first.bytes.count == 32 && first.previous == nil)
        #expect(first.text.hasPrefix("whsec_") && first.text.utf8.count == 6 + 44)
        #expect(try await secrets.show(project: "default") == first)
        withExtendedLifetime(database) {}
    }

    @Test func rotationKeepsTheOldSecretForADay() async throws {
        let (fixture, database) = try await fixture()
        let secrets = WebhookSecrets(context: fixture.context)
        // Before anything was shown there is nothing to keep.
        #expect(try await secrets.rotate(project: "default").previous == nil)
        let before = try await secrets.show(project: "default")
        let after = try await secrets.rotate(project: "default")
        #expect(after.previous == before.bytes)
        #expect(after.previousEnds == fixture.clock.now().adding(seconds: 86_400))
        #expect(try await secrets.show(project: "default") == after)
        withExtendedLifetime(database) {}
    }

    @Test func unknownProjectIsNamed() async throws {
        let (fixture, database) = try await fixture()
        let error = await #expect(throws: UseCaseError.self) {
            try await WebhookSecrets(context: fixture.context).show(project: "nope")
        }
        #expect(error?.code == .notFound && error?.description.contains("nope") == true)
        await #expect(throws: UseCaseError.self) {
            try await WebhookSecrets(context: fixture.context).rotate(project: "nope")
        }
        withExtendedLifetime(database) {}
    }
}
