import Foundation
import JSONValue
import ServerTestKit
import Testing

/// Readers of whom nothing is recorded, with a real daemon and Postfix.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct AnonymousStories {
    @Test func twoReadersAreTwoLooksAndNobodyIsNamed() async throws {
        let story = try await StorySite(relayPort: nil)
        let daemon = try await story.start()
        let set = try await BadInputCommand.run([
            "project", "tracking", "--config", story.site.configurationPath, "--opens", "anonymous", "default",
        ])
        #expect(set.status == .exited(0) && set.text == "default: opens anonymous, clicks default", "\(set.text)")
        let readers = ["ann@sender.example", "bob@sender.example"]
        var pixels: [String] = []
        for reader in readers {
            try await story.deliver(from: reader, StoryMail.text(from: reader))
            let mail = try await eventualValue("the answer to \(reader)", deadline: .seconds(30)) {
                try await story.site.mailbox(reader).first
            }
            pixels.append(try #require(StoryMail.pixel(of: mail.text)))
        }
        #expect(Set(pixels).count == 1)
        for pixel in pixels { #expect(try await daemon.fetchPixel(pixel).status == 200) }
        try await eventually("both looks are counted") {
            try await daemon.api("/tracking")["data"]?.arrayValue?.first?["people"]?.intValue == 2
        }
        // Nobody's wait hears of it, and nobody's life has it.
        for reader in readers {
            let executions = try await daemon.executions(contact: reader)
            #expect(executions.map { $0["status"] } == ["WAITING"])
        }
        #expect(try await daemon.api("/events?eventName=email.opened")["data"]?.arrayValue?.isEmpty ?? true)
        let applied = try await BadInputCommand.run([
            "workflow", "apply", "--config", story.site.configurationPath, story.directory.path("answer.yaml"),
        ])
        #expect(applied.text.contains("email.opened never comes, because readers are only counted"), "\(applied.text)")
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func aWrongModeIsRefused() async throws {
        let refused = try await BadInputCommand.run(["project", "tracking", "--opens", "sometimes", "default"])
        #expect(refused.status == .exited(64) && refused.text.contains("--opens must be"), "\(refused.text)")
    }
}
