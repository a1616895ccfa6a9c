import CorpusKit
import Engine
import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

/// Real bounces, complaints and automatic replies, each as if it had come back of a mail of ours: what is done about the
/// address agrees with what another program says of it. Skipped with a notice where the corpus is absent.
@Suite(.timeLimit(.minutes(10))) struct BounceCorpusTests {
    private struct Returned {
        var name: String
        var expected: [BounceCase.Expectation]
        var message: ReceivedMessage
        var address: String
    }

    private func engine() async throws -> (EngineFixture, TemporaryDatabase) {
        let (engine, database) = try await makeEngine { configuration in
            configuration.returnAddresses = ReturnAddresses(
                .init(returnPath: MailAddress.parse("bounce@mail.example.com")))
        }
        try await engine.apply(document(steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]]))
        return (engine, database)
    }

    /// A mail of ours for each, which it is then about.
    private func returned(_ cases: [BounceCase], _ engine: EngineFixture) async throws -> [Returned] {
        for number in cases.indices { try await engine.track("signed_up", "c\(number)@example.org") }
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        let paths = Dictionary(transport.sent.map { ($0.recipient, $0.reversePath) }, uniquingKeysWith: { $1 })
        return try cases.enumerated().map { number, one in
            let address = "c\(number)@example.org"
            var message = one.message
            message.recipients = [try #require(paths[address])]
            // The same mail is there with several kinds of line ends.
            message.headers = message.headers.filter { $0.name.lowercased() != "message-id" }
            message.headers.append(HeaderField("Message-ID", "<\(number)@corpus.example>"))
            return Returned(name: one.name, expected: one.expected ?? [], message: message, address: address)
        }
    }

    @Test func whatIsDoneAboutAnAddressAgreesWithAnotherProgram() async throws {
        let folder = CorpusFolder()
        let cases = folder.files(in: "bounces", suffix: ".eml").isEmpty ? [] : try BounceCase.all(in: folder)
        guard !cases.isEmpty else {
            print("SKIP: no corpus bounces (POSTRIDER_CORPORA or ../shared/corpora)")
            return
        }
        let (engine, database) = try await engine()
        _ = database
        let intake = Intake(context: engine.context, configuration: Intake.Configuration())
        var agreement = Agreement(corpus: "bounces, acted on")
        for one in try await returned(cases.filter { $0.expected != nil }, engine) {
            let verdict = await withCheckedContinuation { continuation in
                intake.receive(one.message) { continuation.resume(returning: $0) }
            }
            #expect(verdict == .discard || verdict == .continue, "\(one.name)")
            let found = try await Suppressions(context: engine.context).page(
                in: engine.project.id, address: one.address, limit: 10
            ).suppressions.map(\.reason)
            if one.name.hasPrefix("not/") {
                #expect(found.isEmpty, "\(one.name)")
            } else if one.expected.allSatisfy({ $0.reason == "feedback" }) {
                agreement.count(found == [.complaint], "\(one.name): \(found), expected a complaint")
            } else if one.expected.allSatisfy(\.isHard) {
                agreement.count(found == [.bounce], "\(one.name): \(found), expected hard \(one.expected[0].reason)")
            } else if one.expected.allSatisfy({ !$0.isHard }) {
                agreement.count(found.isEmpty, "\(one.name): \(found), expected soft \(one.expected[0].reason)")
            }
        }
        for difference in agreement.differences { print("corpus bounces, acted on, differs: \(difference)") }
        print("corpus bounces, acted on: \(agreement.share)")
        #expect(agreement.agree * 100 >= agreement.total * 88)
    }
}
