import Foundation
import Testing

@testable import Settings

@Suite struct SchemaTests {
    @Test(arguments: [
        ("conf/postrider.yaml", Schema.sampleFile()), ("Documentation/configuration.md", Schema.referencePage()),
    ])
    func generatedFileEqualsTheSchema(path: String, expected: String) throws {
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
            try Data(expected.utf8).write(to: PackageTree.root.appending(path: path))
        }
        #expect(
            try PackageTree.text(of: path) == expected, "run the tests with UPDATE_GOLDEN=1 and look at the difference")
    }

    @Test func sampleLoadsWithoutFindingsAndEqualsTheDefaults() throws {
        let sample = try Configuration.parse(Schema.sampleFile())
        let defaults = try Configuration.parse("")
        #expect(sample.warnings.isEmpty)
        #expect(sample.milter == defaults.milter)
        #expect(sample.http == defaults.http)
        #expect(sample.smtp == defaults.smtp)
        #expect(sample.mail == defaults.mail)
        #expect(sample.verdicts == defaults.verdicts)
        #expect(sample.tracking == defaults.tracking)
        #expect(sample.log == defaults.log)
        #expect(sample.limits == defaults.limits)
        #expect(sample.rates == defaults.rates)
        #expect(sample.dns == defaults.dns)
        #expect(sample.verify == defaults.verify)
        #expect(sample.database == defaults.database)
        #expect(sample.routes == [] && sample.ownAddresses == [])
    }

    @Test func everyKeyIsRead() {
        var reading = Reading(document: Document(text: "", file: "x"), file: "x", environment: [:])
        _ = Configuration(&reading)
        #expect(reading.consumed == Set(Schema.settings.map(\.path)))
    }

    @Test func pathsAndVariableNamesAreUnique() {
        #expect(Set(Schema.settings.map(\.path)).count == Schema.settings.count)
        #expect(Set(Schema.settings.map(\.environmentName)).count == Schema.settings.count)
        for section in Schema.sections where !section.name.isEmpty {
            #expect(section.settings.allSatisfy { $0.section == section.name })
        }
    }

    @Test(arguments: Schema.settings.map(\.path))
    func exampleIsAcceptedAndMeaningIsASentence(path: String) throws {
        let setting = try #require(Schema.settings.first { $0.path == path })
        var text = setting.section.map { "\($0):\n  " } ?? ""
        text += "\(setting.name): \(setting.example)\n"
        // Examples of one key may need a second one beside them; such findings name the other key in their mend.
        let contradictions = [
            "verdicts.rspamd_headers", "verdicts.authserv_ids", "smtp.username", "smtp.password", "smtp.password_file",
        ]
        do {
            _ = try Configuration.parse(text)
            #expect(!contradictions.contains(path))
        } catch {
            #expect(contradictions.contains(path), "\(error)")
        }
        #expect(setting.meaning.hasSuffix("."))
        #expect(setting.meaning.count > 4)
    }
}
