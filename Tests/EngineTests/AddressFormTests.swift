import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

/// Addresses that look the same are the same.
@Suite struct AddressFormTests {
    private static let composed = "r\u{e9}ne@b\u{fc}cher.example"
    private static let decomposed = "Re\u{301}ne@Bu\u{308}cher.example"

    @Test func lettersAndTheirMarksAreOne() {
        #expect(Array(AddressText.normal(Self.decomposed).utf8) == Array(Self.composed.utf8))
        #expect(AddressText.normal("Ann@Example.ORG") == "ann@example.org")
    }

    @Test func bothFormsAreOneContactByEveryDoor() async throws {
        let (engine, database) = try await makeEngine()
        try await engine.track("seen", Self.composed)
        try await engine.track("seen", Self.decomposed)
        let again = try await engine.contacts.upsert(email: Self.decomposed, subscribed: nil, data: ["a": 1])
        #expect(!again.isNew)
        _ = try await engine.importFile("email,b\n\(Self.decomposed),2\n")
        _ = try await DirectMail(context: engine.context).send(
            .init(projectID: engine.project.id, recipients: [.init(email: Self.decomposed)], subject: "S", body: "B"))
        #expect(try Rows(database.path).count("SELECT count(*) FROM contacts") == 1)
        #expect(try await engine.contact(Self.composed)?.data == ["a": 1, "b": "2"])
        #expect(try await engine.contacts.lookUp([Self.decomposed]).found.count == 1)
        let erased = try #require(try await engine.contact(Self.composed)).id
        try await engine.contacts.delete(erased)
        // Erased under one form, it comes back unsubscribed under the other.
        try await engine.track("seen", Self.decomposed)
        #expect(try await engine.contact(Self.composed)?.isSubscribed == false)
    }

    @Test func onlyLocalPartsOutsideASCIINeedSMTPUTF8() {
        #expect(AddressText.needsSMTPUTF8("r\u{e9}ne@example.org"))
        #expect(!AddressText.needsSMTPUTF8("rene@b\u{fc}cher.example"))
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
