import JSONValue

/// A loop variable or an argument of a partial.
struct ScopedVariable {
    let name: Name
    /// Null for what is no JSON.
    private var json: JSON = .null
    private var other: Value?

    init(_ name: Name, _ value: Value) {
        self.name = name
        self.value = value
    }

    var value: Value {
        get { other ?? .json(json) }
        set {
            if case .json(let json) = newValue {
                self.json = json
                other = nil
            } else {
                json = .null
                other = newValue
            }
        }
    }

    /// Where its JSON stands; nil for what is none.
    @inline(__always)
    static func json(of variable: UnsafePointer<ScopedVariable>) -> UnsafePointer<JSON>? {
        variable.pointee.other == nil ? variable.pointer(to: \.json) : nil
    }

    @inline(__always)
    mutating func set(_ json: JSON) { self.json = json }
}

/// The loop variables and arguments of all frames, the innermost last. In memory of its own: a look at one of them
/// retains nothing.
struct ScopedVariables: ~Copyable {
    private var base = UnsafeMutablePointer<ScopedVariable>.allocate(capacity: 8)
    private var capacity = 8
    private var end = 0
    /// Where those of this frame begin.
    private var start = 0

    deinit {
        base.deinitialize(count: end)
        base.deallocate()
    }

    /// How many this frame has.
    var count: Int { end - start }

    /// The innermost of that name.
    @inline(__always)
    func find(_ name: Name) -> UnsafePointer<ScopedVariable>? {
        var variable = base + end
        let first = base + start
        while variable > first {
            variable -= 1
            if variable.pointee.name == name { return UnsafePointer(variable) }
        }
        return nil
    }

    mutating func append(_ name: Name, _ value: Value) {
        if end == capacity { grow() }
        (base + end).initialize(to: ScopedVariable(name, value))
        end += 1
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<ScopedVariable>.allocate(capacity: capacity * 2)
        larger.moveInitialize(from: base, count: end)
        base.deallocate()
        base = larger
        capacity *= 2
    }

    /// Sets the last of this frame to some JSON, which its value must have been.
    @inline(__always)
    mutating func setLast(_ json: JSON) { base[end - 1].set(json) }

    /// Takes away all but the first so many of this frame.
    mutating func remove(to count: Int) {
        let kept = start + count
        (base + kept).deinitialize(count: end - kept)
        end = kept
    }

    /// Hides all that there are, for a frame of its own. What is answered brings them back.
    mutating func open() -> Int {
        defer { start = end }
        return start
    }

    /// Takes away those of this frame.
    mutating func close(_ outer: Int) {
        remove(to: 0)
        start = outer
    }
}
