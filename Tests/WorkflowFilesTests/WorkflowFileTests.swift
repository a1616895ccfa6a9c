import Engine
import Foundation
import JSONValue
import Testing
import WorkflowModel

@testable import WorkflowFiles

/// A file in a folder of its own, gone with the value.
final class TemporaryFile {
    let path: String
    private let folder: URL

    init(_ text: String, named name: String = "flow.yaml") throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("postrider-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        path = folder.appendingPathComponent(name).path
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    deinit { try? FileManager.default.removeItem(at: folder) }
}

@Suite struct WorkflowFileTests {
    static let sound = """
        workflow: welcome
        name: Welcome
        description: For everybody.
        trigger:
          event: signed_up
        timers: {rate: 60, lateAfter: 3600, late: end}
        steps:
          start: {type: TRIGGER, next: mail}
          mail:
            type: SEND_EMAIL
            config: {template: hello}
            next: wait
          wait:
            type: WAIT_FOR_EVENT
            config:
              eventNames: [email.opened, paid]
              timeout: 3600
              lookback: true
              filter:
                logic: AND
                groups:
                  - filters:
                      - {field: event.amount, operator: greaterThan, value: 5}
            next: {event: plan, timeout: call}
          plan:
            type: CONDITION
            config:
              mode: multi
              field: contact.plan
              branches:
                - {id: pro, operator: equals, value: pro}
                - {id: team, operator: contains, value: team}
              default: other
            next: {pro: tag, team: tag, other: call}
          call:
            type: WEBHOOK
            config:
              url: https://example.com/hook
              method: PUT
              headers: {X-A: "{{ plan }}"}
              body: {a: ["{{ b }}", 1]}
            next: tag
          tag:
            type: UPDATE_CONTACT
            config: {data: {stage: done, old: null}, subscriptionAction: subscribe}
            next: pause
          pause:
            type: DELAY
            config: {until: "2030-01-01T00:00:00Z"}
            next: done
          done: {type: EXIT, config: {reason: ended}}
        templates:
          hello:
            type: TRANSACTIONAL
            subject: Hello
            text: |
              Hello,

              there.
        """

    private func failure(_ text: String) throws -> [String] {
        let file = try TemporaryFile(text)
        do {
            _ = try WorkflowFile(reading: file.path)
            return []
        } catch let failure as WorkflowFile.Failure {
            return failure.lines.map { line in
                #expect(line.hasPrefix(file.path))
                return String(line.dropFirst(file.path.utf8.count))
            }
        }
    }

    private func read(_ text: String) throws -> WorkflowFile {
        let file = try TemporaryFile(text)
        defer { withExtendedLifetime(file) {} }
        return try WorkflowFile(reading: file.path)
    }

    private func changed(_ part: String, _ other: String) -> String {
        Self.sound.split(separator: part, omittingEmptySubsequences: false).joined(separator: other)
    }

    @Test func everyStepTypeIsRead() throws {
        let file = try TemporaryFile(Self.sound)
        let document = try WorkflowFile(reading: file.path).document
        #expect(Set(document.graph.steps.map(\.config.type)) == Set(StepType.allCases))
        #expect(document.description == "For everybody.")
        #expect(document.timers == TimerPolicy(ratePerMinute: 60, lateAfter: 3600, late: .end))
    }

    @Test(
        arguments: [
            ("rate: 60", "rat: 60", ":6:10: timers.rat: is not known here"),
            ("config: {template: hello}", "config: {templat: hello}", ":11:14: steps.mail.config.templat: is not"),
            (
                "operator: greaterThan", "operator: above",
                ":23:39: steps.wait.config.filter.groups.0.filters.0.operator"
            ),
            (
                "next: {event: plan, timeout: call}", "next: {event: plan, timeout: nowhere}",
                ":24:25: transitions.wait->nowhere"
            ),
            ("next: {pro: tag,", "next: {gold: tag,", ":34:12: transitions.plan->tag: has the branch gold"),
            ("method: PUT", "method: FETCH", ":39:7: steps.call.config.method"),
            ("description: For everybody.", "descripton: For everybody.", ":3:1: descripton: is not known here"),
            ("event: signed_up", "events: signed_up", ":5:3: trigger.events"),
            ("event: signed_up", "manual: no", ":5:3: trigger.manual: must be true and stand alone"),
            ("event: signed_up", "schedule: 99 * * * *", ":5:3: trigger.schedule"),
            ("subject: Hello", "subjct: Hello", ":55:5: templates.hello.subjct"),
            ("timeout: 3600", "timeout: soon", ":17:7: steps.wait.config.timeout"),
            ("type: DELAY", "type: PAUSE", ":48:5: steps.pause.type"),
            ("name: Welcome", "name: [", ":4:8: no valid YAML"),
        ])
    func aFaultIsNamedWithFileLineAndColumn(_ part: String, _ other: String, _ expected: String) throws {
        let lines = try failure(changed(part, other))
        #expect(lines.contains { $0.hasPrefix(expected) }, "\(lines)")
    }

    @Test func allFaultsAreNamedAtOnce() throws {
        let text = changed("method: PUT", "method: FETCH").split(separator: "late: end").joined(
            separator: "late: never")
        #expect(try failure(text).count == 2)
    }

    @Test func aBrokenTemplateIsNamedWithItsPlace() throws {
        let file = try TemporaryFile(changed("there.", "{% if %}"))
        let read = try WorkflowFile(reading: file.path)
        let failure = #expect(throws: WorkflowFile.Failure.self) { try read.checkTemplates() }
        #expect(
            failure?.lines.first?.hasPrefix("\(file.path):53:3: templates.hello: ") == true,
            "\(String(describing: failure))")
    }

    @Test func anOptionThatIsNoLiquidIsNamedWithItsPlace() throws {
        let file = try TemporaryFile(changed("body: {a: [\"{{ b }}\", 1]}", "body: {a: [1, \"{{ b\"]}"))
        let read = try WorkflowFile(reading: file.path)
        let failure = #expect(throws: WorkflowFile.Failure.self) { try read.checkTemplates() }
        #expect(
            failure?.lines.first?.hasPrefix("\(file.path):41:21: steps.call.config.body.a.1: ") == true,
            "\(String(describing: failure))")
    }

    @Test func whatIsHardlyMeantIsWarnedOf() throws {
        let text = """
            workflow: odd
            trigger: {manual: true}
            steps:
              start: {type: TRIGGER, next: check}
              check:
                type: CONDITION
                config: {field: plan, operator: exists}
                next:
                  yes: end
              end: {type: EXIT}
              lost: {type: EXIT}
            """
        let file = try TemporaryFile(text)
        let warnings = try WorkflowFile(reading: file.path).warnings
        #expect(warnings.count == 2)
        #expect(warnings.contains { $0.hasPrefix("\(file.path):5:3: warning: steps.check: has no transition for no") })
        #expect(
            warnings.contains { $0.hasPrefix("\(file.path):11:3: warning: steps.lost: nothing leads to it") })
        #expect(try read(Self.sound).warnings.isEmpty)
    }

    @Test func aDocumentIsReadFromTheFileThatItWrites() throws {
        let document = try read(Self.sound).document
        let again = try read(document.yaml).document
        #expect(again.yaml == document.yaml)
        #expect(again.graph.steps == document.graph.steps)
        #expect(WorkflowDifference(from: document, to: again).isEmpty)
    }
}

@Suite struct WorkflowDifferenceTests {
    private func document(_ text: String) throws -> WorkflowDocument {
        try WorkflowDocument(try YAMLReader.read(text).value)
    }

    private let old = """
        workflow: flow
        name: Flow
        trigger: {event: a}
        steps:
          start: {type: TRIGGER, next: check}
          check:
            type: CONDITION
            config: {field: plan, operator: equals, value: pro}
            next: {yes: mail, no: old}
          mail: {type: SEND_EMAIL, config: {template: t, from: a@b.example}, next: old}
          old: {type: EXIT, config: {reason: x}}
        templates:
          t: {type: TRANSACTIONAL, subject: S, text: "one\\ntwo\\nthree\\n"}
        """

    @Test func itIsToldStepByStepAndOptionByOption() throws {
        let new = """
            workflow: flow
            name: Flow two
            description: New
            trigger: {event: a}
            enabled: true
            steps:
              start: {type: TRIGGER, next: check}
              check:
                type: CONDITION
                config:
                  filter: {logic: AND, groups: [{filters: [{field: data.plan, operator: equals, value: pro}]}]}
                next: {yes: mail, no: tag}
              mail: {type: SEND_EMAIL, config: {template: t, to: "{{ x }}"}, next: tag}
              tag: {type: UPDATE_CONTACT, config: {data: {plan: pro}}}
            templates:
              t: {type: TRANSACTIONAL, subject: S, text: "one\\n2\\nthree\\n"}
              u: {subject: U, text: "a\\nb"}
            """
        let difference = WorkflowDifference(from: try document(old), to: try document(new))
        #expect(
            difference.lines == [
                "~ name: Flow -> Flow two", "+ description: New", "~ enabled: false -> true", "- step old (EXIT)",
                "~ step check (CONDITION)", "-   config: plan equals \"pro\"", "+   config.filter.logic: AND",
                "+   config.filter.groups.0.filters.0: data.plan equals \"pro\"", "-   next.no: old",
                "+   next.no: tag",
                "~ step mail (SEND_EMAIL)", "-   config.from: a@b.example", "+   config.to: {{ x }}", "-   next: old",
                "+   next: tag", "+ step tag (UPDATE_CONTACT)", "+   config.data.plan: pro", "~ template t",
                "~   text:", "-     two", "+     2", "+ template u", "+   type: MARKETING", "+   subject: U",
                "+   text: 2 lines",
            ])
    }

    @Test func orderAndSpellingDoNotCount() throws {
        let same = """
            name: Flow
            workflow: flow
            allowReentry: false
            trigger: {event: a}
            templates:
              t: {subject: S, type: TRANSACTIONAL, text: "one\\ntwo\\nthree\\n"}
            steps:
              old: {type: EXIT, config: {reason: x}}
              mail: {type: SEND_EMAIL, config: {from: a@b.example, templateId: t}, next: old}
              check:
                type: CONDITION
                config: {value: pro, operator: equals, field: plan}
                next: {no: old, yes: mail}
              start: {type: TRIGGER, next: check}
            """
        #expect(WorkflowDifference(from: try document(old), to: try document(same)).isEmpty)
        #expect(WorkflowDifference(from: nil, to: try document(old)).lines.contains("+ step old (EXIT)"))
    }
}
