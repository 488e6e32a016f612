# Goroutines in lldb: `goroutines`, and `goroutine N COMMAND`, in a stopped process and in a core file.
#
#   (lldb) command script import goroutines_lldb.py
#
# The scheduler keeps what this script needs in a table, the section `goroutines_debug_v1`, as for gdb. Nothing is written to
# the process, nor to a core file.
#
# How a command is run in a parked goroutine: lldb asks a plugin (the class at the end of this file) which threads an operating
# system has that lldb cannot see, and with which registers. Ours tells it of the goroutine that is looked at, with the
# registers that its context has saved. So it is a thread of lldb: `bt`, `up`, `frame variable` work, and its backtrace ends at
# `root`. lldb loads the plugin anew, and this file with it, each time another goroutine is looked at: what must last is kept
# in the module `lldb`.

import os
import shlex

import lldb

VERSION = 1
SECTION = "goroutines_debug_v1"
MAGIC = b"goroutin"
SETTING = "target.process.python-os-plugin-path"


class Trouble(Exception):
    """Told to the user without a trace of this script."""


class Memory:
    """What is read of a process."""

    def __init__(self, process):
        self.process = process

    def some(self, address, size):
        """What is there of so many bytes."""
        if size == 0:
            return b""
        found = self.process.ReadMemory(address, size, lldb.SBError())
        if not found:
            # A core file is without what is in the program's own file.
            target = self.process.GetTarget()
            found = target.ReadMemory(lldb.SBAddress(address, target), size, lldb.SBError())
        if not found:
            raise Trouble("goroutines: no memory at %#x: the core file may be without it" % address)
        return bytes(found)

    def at(self, address, size):
        found = self.some(address, size)
        if len(found) != size:
            raise Trouble("goroutines: no memory at %#x: the core file may be without it" % (address + len(found)))
        return found

    def word(self, address, size=8):
        return int.from_bytes(self.at(address, size), "little")

    def text(self, address):
        """The text at the address, up to its NUL."""
        found = b""
        while b"\0" not in found:
            # Up to the end of a page: the next one may not be there.
            found += self.some(address + len(found), 4096 - (address + len(found)) % 4096)
        return found.split(b"\0")[0].decode(errors="replace")


def address_of_table(target):
    """Where the section begins. Of two runtimes in one program the first one is shown."""
    for module in target.module_iter():
        section = module.FindSection(SECTION)
        if section.IsValid():
            address = section.GetLoadAddress(target)
            if address != lldb.LLDB_INVALID_ADDRESS:
                return address
    raise Trouble("goroutines: no section `%s`: the program does not use goroutines" % SECTION)


class Table:
    """The table of the program. Its words have names, which it tells itself."""

    def __init__(self, process):
        if not process or process.GetState() not in (lldb.eStateStopped, lldb.eStateCrashed, lldb.eStateSuspended):
            raise Trouble("goroutines: no process that is stopped, and no core file")
        self.memory = memory = Memory(process)
        address = address_of_table(process.GetTarget())
        if memory.at(address, 8) != MAGIC:
            raise Trouble("goroutines: no table in this core, or the program has not come to `main`")
        version = memory.word(address + 8, 4)
        if version != VERSION:
            raise Trouble(
                "goroutines: this script reads version %d of the table, and the program has version %d: "
                "use the script of the program's version" % (VERSION, version)
            )
        names = memory.text(memory.word(address + 16)).split()
        for place, name in enumerate(names):
            setattr(self, name, memory.word(address + 24 + 8 * place))
        self.reasons = memory.text(self.reasons).split(",")
        self.statuses = memory.text(self.statuses).split(",")

    def goroutines(self):
        """All that have not ended, by their numbers."""
        found, word = [], self.memory.word
        chunk = self.chunks
        while chunk:
            chunk, gs, count = (word(chunk + 8 * i) for i in range(3))
            memory = self.memory.at(gs, count * self.g_size)
            for i in range(count):
                g = Goroutine(self, gs + i * self.g_size, memory[i * self.g_size : (i + 1) * self.g_size])
                if g.id and g.status != "dead":
                    found.append(g)
        return sorted(found, key=lambda g: g.id)

    def find(self, which):
        try:
            number = int(which, 0)
        except ValueError:
            raise Trouble("goroutine: `%s` is no number of a goroutine, nor `off`" % which)
        for g in self.goroutines():
            if number in (g.id, g.address):
                return g
        raise Trouble("goroutine: no goroutine %d: `goroutines` lists them" % number)


class Goroutine:
    def __init__(self, table, address, memory):
        def field(offset, size=8):
            return int.from_bytes(memory[offset : offset + size], "little")

        self.table = table
        self.address = address
        self.id = field(table.g_id)
        self.context = field(table.g_ctx)
        status = field(table.g_status, 4)
        self.status = table.statuses[status & 0xFF] if status & 0xFF < len(table.statuses) else "?"
        reason = status >> 8 & 0xFF
        self.reason = table.reasons[reason - 1] if 0 < reason <= len(table.reasons) else None
        self.wait_on = field(table.g_wait_on) if reason else 0
        self.last = field(table.g_last)
        self.window = field(table.g_window)
        self.identity = field(table.g_identity)

    def name(self):
        """The name, in quotes and after a space, if there is one."""
        word, place = self.table.memory.word, self.identity + self.table.identity_name
        if not self.identity or not word(place):
            return ""
        return ' "%s"' % self.table.memory.at(word(place), word(place + 8)).decode(errors="replace")

    def state(self):
        if not self.reason:
            return self.status
        where = " %#x" % self.wait_on if self.wait_on else ""
        kept = ", keeps its thread" if self.status == "blocked" else ""
        return self.reason + where + kept

    def head(self):
        return "%d%s [%s]" % (self.id, self.name(), self.state())

    def is_parked(self):
        """Its stack is still, and its context says where it resumes."""
        return self.status in ("waiting", "runnable") and self.context != 0

    def is_copied_out(self):
        if not self.window or not self.is_parked():
            return False
        return self.table.memory.word(self.window + self.table.window_resident) != self.address

    def thread(self):
        """The thread of lldb that runs it, or none."""
        word, m = self.table.memory.word, self.last & ~self.table.m_tags
        if not m or word(m + self.table.m_current) != self.address:
            return None
        thread = self.table.memory.process.GetThreadByID(word(m + self.table.m_thread, 4))
        return thread if thread.IsValid() else None

    def registers(self):
        """What its context has saved: pc, sp, frame pointer, and a register that is kept over calls."""
        table, word = self.table, self.table.memory.word
        frame = self.context - table.frame_size
        return [
            word(frame + table.frame_ip),
            self.context,
            word(frame + table.frame_fp),
            word(frame + table.frame_base),
        ]


def looked_at():
    """The goroutine that the plugin tells of, by process: kept where a new load of this file does not forget it."""
    return lldb.__dict__.setdefault("goroutine_looked_at", {})


def reload_plugin(debugger):
    interpreter = debugger.GetCommandInterpreter()
    answer = lldb.SBCommandReturnObject()
    path = os.path.abspath(__file__)
    interpreter.HandleCommand("settings set %s %s" % (SETTING, shlex.quote(path)), answer)
    if not answer.Succeeded():
        raise Trouble("goroutine: this lldb has no plugins of threads, and shows no stacks of parked goroutines: use gdb")


def off(debugger, process):
    """lldb sees the threads of the process alone. Returns whether it saw a goroutine before."""
    if looked_at().pop(process.GetUniqueID(), None) is None:
        return False
    reload_plugin(debugger)
    return True


def enter(debugger, process, goroutine):
    """Makes the goroutine the selected thread."""
    if goroutine.is_parked():
        if goroutine.is_copied_out():
            raise Trouble("goroutine: the stack of goroutine %d is copied out: a dump of the program shows it" % goroutine.id)
        looked_at()[process.GetUniqueID()] = (goroutine.address, goroutine.head(), goroutine.registers())
        reload_plugin(debugger)
        thread = process.GetThreadByID(goroutine.address)
        if not thread.IsValid():
            raise Trouble("goroutine: this lldb does not show threads of plugins: use gdb")
    elif goroutine.status == "fresh":
        raise Trouble("goroutine: goroutine %d has not run yet, and has no stack" % goroutine.id)
    else:
        thread = goroutine.thread()
        if thread is None:
            raise Trouble("goroutine: no thread runs goroutine %d: it is on its way to one, or from one" % goroutine.id)
    process.SetSelectedThread(thread)
    return thread


def told(command):
    """A command whose troubles are told to the user."""

    def run(debugger, arguments, context, result, _):
        try:
            command(debugger, arguments, context.GetProcess(), result)
        except Trouble as trouble:
            result.SetError(str(trouble))

    return run


def list_them(_, arguments, process, result):
    if arguments.strip():
        raise Trouble("goroutines: takes no words")
    all_of_them = Table(process).goroutines()
    result.AppendMessage("%d goroutines" % len(all_of_them))
    for g in all_of_them:
        where = ""
        thread = g.thread() if not g.is_parked() else None
        if thread is not None:
            where = " (thread %d)" % thread.GetIndexID()
        elif g.is_copied_out():
            where = " (its stack is copied out)"
        result.AppendMessage("%6d%s [%s]%s" % (g.id, g.name(), g.state(), where))


def look(debugger, arguments, process, result):
    words = arguments.split(None, 1)
    if not words:
        raise Trouble("goroutine: say which: a number, or `off`")
    if words[0] == "off":
        off(debugger, process)
        return
    goroutine = Table(process).find(words[0])
    before = process.GetSelectedThread().GetThreadID()
    thread = enter(debugger, process, goroutine)
    command = words[1] if len(words) > 1 else None
    answer = lldb.SBCommandReturnObject()
    interpreter = debugger.GetCommandInterpreter()
    # In the frame that is selected now, and not in the one in which this command was typed.
    frame = lldb.SBExecutionContext(thread.GetSelectedFrame())
    interpreter.HandleCommand(command or "frame info", frame, answer, False)
    if command is None:
        result.AppendMessage("goroutine " + goroutine.head())
    for said in (answer.GetOutput(), answer.GetError()):
        if said:
            result.AppendMessage(said.rstrip("\n"))
    if command is not None:
        off(debugger, process)
        process.SetSelectedThreadByID(before)


goroutines_command, goroutine_command = told(list_them), told(look)


def __lldb_init_module(debugger, _):
    # A new load of this file: the commands find the new functions by their names.
    having = lldb.__dict__.setdefault("goroutine_commands", set())
    if debugger.GetID() in having:
        return
    having.add(debugger.GetID())
    for name, function, help in (
        ("goroutines", "goroutines_command", "Lists the goroutines."),
        ("goroutine", "goroutine_command", "Runs a command in a goroutine, as in goroutine 7 bt; or selects one, until goroutine off."),
    ):
        debugger.HandleCommand("command script add -h '%s' -f %s.%s %s" % (help, __name__, function, name))


class OperatingSystemPlugIn:
    """What lldb asks: which threads there are beside those that it sees."""

    def __init__(self, process):
        self.process = process
        triple = process.GetTarget().GetTriple() if process else ""
        arm = triple.startswith(("aarch64", "arm64"))
        # The numbers of the registers in debug information.
        self.names = [("pc", 32), ("sp", 31), ("x29", 29), ("x19", 19)] if arm else [("rip", 16), ("rsp", 7), ("rbp", 6), ("rbx", 3)]

    def get_thread_info(self):
        found = looked_at().get(self.process.GetUniqueID())
        if found is None:
            return []
        address, head, _ = found
        return [{"tid": address, "name": "goroutine " + head, "queue": "goroutines", "state": "stopped", "stop_reason": "none"}]

    def get_register_info(self):
        generic = ["pc", "sp", "fp", None]
        registers = []
        for place, (name, number) in enumerate(self.names):
            register = {
                "name": name,
                "bitsize": 64,
                "offset": 8 * place,
                "encoding": "uint",
                "format": "hex",
                "set": 0,
                "gcc": number,
                "dwarf": number,
            }
            if generic[place]:
                register["generic"] = generic[place]
            registers.append(register)
        return {"sets": ["saved"], "registers": registers}

    def get_register_data(self, tid):
        found = looked_at().get(self.process.GetUniqueID())
        if found is None or found[0] != tid:
            return None
        return b"".join(value.to_bytes(8, "little") for value in found[2])
