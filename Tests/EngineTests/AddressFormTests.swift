import EngineTestKit
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

@testable import Engine

/// Addresses that look the same are the same.
@Suite struct AddressFormTests {
    private static let composed = "r\u{e9}ne@b\u{fc}cher.example"
    private static let decomposed = "Re\u{301}ne@Bu\u{308}cher.example"

    /// As mail from there has it, and as it is kept.
    private static let ascii = "r\u{e9}ne@xn--bcher-kva.example"

    @Test func lettersAndTheirMarksAreOne() {
        for form in [Self.composed, Self.decomposed, Self.ascii, "R\u{c9}NE@XN--BCHER-KVA.EXAMPLE"] {
            #expect(Array(AddressText.normal(form).utf8) == Array(Self.ascii.utf8), "\(form)")
        }
        #expect(AddressText.normal("ann@\u{65e5}\u{672c}.example") == "ann@xn--wgv71a.example")
        // What is no name of a domain stays as it is.
        #expect(AddressText.normal("ann@\u{fc}..example") == "ann@\u{fc}..example")
        #expect(AddressText.normal("B\u{fc}cher") == "b\u{fc}cher")
        #expect(AddressText.normal("Ann@Example.ORG") == "ann@example.org")
    }

    @Test func bothFormsAreOneContactByEveryDoor() async throws {
        let (engine, database) = try await makeEngine()
        try await engine.track("seen", Self.composed)
        try await engine.track("seen", Self.decomposed)
        try await engine.track("seen", Self.ascii)
        let again = try await engine.contacts.upsert(email: Self.decomposed, subscribed: nil, data: ["a": 1])
        #expect(!again.isNew)
        _ = try await engine.importFile("email,b\n\(Self.decomposed),2\n")
        _ = try await DirectMail(context: engine.context).send(
            .init(projectID: engine.project.id, recipients: [.init(email: Self.decomposed)], subject: "S", body: "B"))
        #expect(try Rows(database.path).count("SELECT count(*) FROM contacts") == 1)
        #expect(try await engine.contact(Self.ascii)?.data == ["a": 1, "b": "2"])
        #expect(try await engine.contacts.lookUp([Self.decomposed, Self.ascii]).found.count == 1)
        let erased = try #require(try await engine.contact(Self.ascii)).id
        try await engine.contacts.delete(erased)
        // Erased under one form, it comes back unsubscribed under the other.
        try await engine.track("seen", Self.decomposed)
        #expect(try await engine.contact(Self.ascii)?.isSubscribed == false)
    }

    /// A list of addresses without mail stops mail to either form.
    @Test func bothFormsAreOneSuppression() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let list = Suppressions(context: engine.context)
        _ = try await list.add([.init(address: "ann@b\u{fc}cher.example")], to: engine.project.id)
        let found = try await list.page(in: engine.project.id, address: "ann@xn--bcher-kva.example", limit: 10)
        #expect(found.suppressions.count == 1)
        let same = try await list.page(in: engine.project.id, address: "ann@B\u{fc}cher.example", limit: 10)
        #expect(same.suppressions.count == 1)
    }

    /// A site whose domain is in another script may be configured in either form: mail comes with xn-- labels from most servers,
    /// and with letters from those that speak SMTPUTF8.
    @Test(arguments: ["b\u{fc}cher.example", "B\u{fc}cher.example", "bu\u{308}cher.example", "xn--bcher-kva.example"])
    func aSiteOfAnotherScriptIsOneInEitherForm(domain: String) throws {
        func route(_ match: InboundRoutes.Route.Match, _ project: String) -> InboundRoutes.Route {
            .init(match: match, project: project, disposition: .continue)
        }
        let routes = InboundRoutes(
            [route(.recipient("help@\(domain)"), "exact"), route(.domain(domain), "all")],
            unknown: ["sub.\(domain)": .reject])
        for written in ["b\u{fc}cher.example", "XN--BCHER-KVA.example"] {
            #expect(routes.routes(for: "help@\(written)").map(\.project) == ["exact", "all"])
            #expect(routes.found(for: "Help+7@\(written)").map(\.mailboxHash) == ["7", "7"])
            #expect(routes.routes(for: "x@\(written)").map(\.project) == ["all"])
            #expect(routes.ruleForUnknown("x@sub.\(written)") == .reject)
            #expect(
                RelayRules(name: "a", senderDomains: [domain]).fitness(
                    senderDomain: AddressText.normalDomain(written), project: nil) == 2)
        }
        let addresses = ReturnAddresses(.init(returnPath: MailAddress.parse("bounce@\(domain)")))
        let signer = TokenSigner(key: Array(repeating: 7, count: 32), cryptography: TestCryptography())
        let id = Identifier(high: 1, low: 2)
        for written in ["b\u{fc}cher.example", "xn--bcher-kva.example"] {
            let match = try #require(
                addresses.match("bounce+\(signer.addressToken(.bounce, for: id))@\(written)"), "\(written)")
            #expect(signer.verifyAddress(match.token, kind: match.kind) == id)
        }
        var configuration = EngineConfiguration()
        configuration.ownAddresses = ["robot@\(domain)"]
        #expect(
            ReplyJudge(configuration, routes: routes).ownAddresses.isSuperset(
                of: ["robot@xn--bcher-kva.example", "help@xn--bcher-kva.example"]))
        let gates = PaceGates([PacingRule(.senders([domain, "news@\(domain)"]), Pace(connections: 1))])
        #expect(!gates.gates(ofSender: "news@xn--bcher-kva.example").isEmpty)
        #expect(!gates.gates(ofSender: "other@xn--bcher-kva.example").isEmpty)
    }

    /// Some servers write the domain's letters into their log and into what they show to a milter, others its xn-- labels.
    @Test(arguments: [composed, decomposed, ascii, "R\u{c9}NE@b\u{fc}cher.example"])
    func whatAServerSaysOfAnAddressIsKnownInAnyForm(wire: String) {
        for recipient in [Self.composed, Self.decomposed, Self.ascii, "Ann <\(Self.decomposed)>"] {
            #expect(Submissions.isSame(wire, recipient), "\(recipient)")
        }
        #expect(!Submissions.isSame(wire, "rene@b\u{fc}cher.example"))
    }

    @Test func aTextStaysATextWhenItComesAgainTyped() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        _ = try await engine.contacts.upsert(
            email: "ann@example.org", subscribed: nil, data: ["code": "007", "zip": "1010", "flag": "true", "age": 41])
        let file =
            "email,code,zip,flag,age,new\nann@example.org,007,1011,false,42,12\nben@example.org,7,1010,true,1,1\n"
        _ = try await engine.importFile(file) { $0.isTyped = true }
        #expect(
            try await engine.contact()?.data == ["code": "007", "zip": "1011", "flag": "false", "age": 42, "new": 12])
        #expect(
            try await engine.contact("ben@example.org")?.data == [
                "code": 7, "zip": 1010, "flag": true, "age": 1, "new": 1,
            ])
    }
}
