# What the installation consists of, as data: settings, folders and their rights, urlacl, firewall rules. Pure.

function Get-Root {
    # The folder of the installation, where it is not said: the one above bin, where an installed script is. A script that
    # still lies where it was unpacked means the usual one.
    [CmdletBinding()]
    param([AllowEmptyString()] [string] $Root, [string] $ScriptFolder)
    if ($Root -ne '') { return $Root }
    if ($ScriptFolder -match '^(.+)[\\/]bin$') { return $Matches[1] }
    return 'C:\llm'
}

function Get-DefaultSettings {
    # settings.json as install.ps1 writes it. Ports and names are those of the shipped policy.yaml.
    [CmdletBinding()]
    param([string] $RouterAddress, [string] $AdminUrl, [string] $UserSid)
    if ($AdminUrl -eq '') { $AdminUrl = "http://${RouterAddress}:8081" }
    return @{
        router = $RouterAddress       # the only machine that may ask this PC
        admin = $AdminUrl             # sluice's admin listener
        proxy = "http://${RouterAddress}:8080"
        gate = 'gaming_pc'
        modePort = 18000
        listenAddress = ''            # this PC's address in the LAN; '' finds it
        listenPort = 8000             # where the router asks for the model
        connectPort = 8000            # where the door in front of vLLM listens inside WSL
        control = 'http://127.0.0.1:8001'   # vLLM itself inside WSL, development endpoints and all: never forwarded
        distribution = 'Ubuntu'
        container = 'vllm-big'
        model = 'qwen3-coder-14b'     # the name that vLLM serves, as policy.yaml has it
        healthSeconds = 600           # how long a model may take to load
        userSid = $UserSid
    }
}

function Get-SettingsProblem {
    # What is wrong with settings, or ''.
    [CmdletBinding()]
    param($Settings)
    if (-not (Test-UsableAddress -Address $Settings.router)) { return "router: '$($Settings.router)' is no IPv4 address of the LAN" }
    if ([string]$Settings.admin -notmatch '^http://[A-Za-z0-9.:\[\]-]+$') { return "admin: '$($Settings.admin)' is not http://HOST:PORT" }
    if ([string]$Settings.gate -notmatch '^[A-Za-z0-9._-]{1,64}$') { return "gate: '$($Settings.gate)' is no gate's name" }
    foreach ($port in @($Settings.modePort, $Settings.listenPort, $Settings.connectPort)) {
        if ([int]$port -lt 1 -or [int]$port -gt 65535) { return "$port is no port" }
    }
    if ([int]$Settings.modePort -eq [int]$Settings.listenPort) { return 'modePort and listenPort are the same' }
    if ([string]$Settings.listenAddress -ne '' -and -not (Test-UsableAddress -Address $Settings.listenAddress)) {
        return "listenAddress: '$($Settings.listenAddress)' is no IPv4 address of the LAN"
    }
    if ([string]$Settings.userSid -notmatch '^S-1-[0-9-]+$') { return "userSid: '$($Settings.userSid)' is no SID" }
    return ''
}

function Get-Folders {
    # The folders and who may do what in them, as icacls takes it. Names of groups are translated by Windows: SIDs.
    #
    # Scripts in bin run with the highest rights, so the user can only read them. In the root the user may make and
    # change files (mode.txt), but neither rename the root nor anything in it that is a folder.
    [CmdletBinding()]
    param([string] $Root, [string] $UserSid)
    $admins = @('*S-1-5-32-544:(OI)(CI)F', '*S-1-5-18:(OI)(CI)F')
    return @(
        @{ Path = $Root; Grants = $admins + @("*${UserSid}:(RD,X,REA,RA,RC,S,WD)", "*${UserSid}:(OI)(IO)M") }
        @{ Path = "$Root\bin"; Grants = $admins + @("*${UserSid}:(OI)(CI)RX") }
        @{ Path = "$Root\logs"; Grants = $admins + @("*${UserSid}:(OI)(CI)M") }
    )
}

function Get-AclArguments {
    # icacls's arguments: nothing inherited, these grants in place of earlier ones.
    [CmdletBinding()]
    param($Folder)
    return @($Folder.Path, '/inheritance:r', '/grant:r') + @($Folder.Grants)
}

function Get-UrlPrefix {
    # What the endpoint listens on. `+` is every name of this PC; a `localhost` prefix is not reachable from the LAN.
    [CmdletBinding()]
    param([int] $Port)
    return "http://+:$Port/"
}

function Get-UrlAclSddl {
    # Generic execute for this user: may listen there. By SDDL, since user=Everyone is translated by Windows.
    [CmdletBinding()]
    param([string] $UserSid)
    return "D:(A;;GX;;;$UserSid)"
}

function Test-UrlAcl {
    # missing, right, old or other: what `netsh http show urlacl url=...` says of the prefix. Old is one user's, as this
    # makes them; what has another shape is somebody else's and stays.
    [CmdletBinding()]
    param([AllowNull()] $Lines, [string] $Prefix, [string] $Sddl)
    $text = (@($Lines) -join "`n")
    if (-not $text.Contains($Prefix)) { return 'missing' }
    if ($text -notmatch '(?m)\bD:\(A;;GX;;;S-1-5-21-[0-9-]+\)\s*$') { return 'other' }
    if ($text.Contains($Sddl)) { return 'right' }
    return 'old'
}

function Get-FirewallRules {
    # By port, since http.sys and iphlpsvc own the sockets; from the router alone; on every profile, since a network
    # that Windows takes for public is still the router's.
    [CmdletBinding()]
    param($Settings)
    return @(
        @{ Name = 'sluice-mode'; DisplayName = 'sluice: mode endpoint'; LocalPort = [string]$Settings.modePort
            RemoteAddress = [string]$Settings.router }
        @{ Name = 'sluice-vllm'; DisplayName = 'sluice: vLLM'; LocalPort = [string]$Settings.listenPort
            RemoteAddress = [string]$Settings.router }
    )
}

function Get-Shortcuts {
    # The two on the desktop.
    [CmdletBinding()]
    param([string] $Root)
    $script = '-NoProfile -ExecutionPolicy Bypass -File "' + $Root + '\bin\set-mode.ps1"'
    return @(
        @{ Name = 'Gaming'; Arguments = "$script GAMING -Wait 30 -Pause"; Description = 'Closes the gate: the card is mine' }
        @{ Name = 'Gaming is over'; Arguments = "$script NORMAL -Pause"; Description = 'Opens the gate: the card may work' }
    )
}
