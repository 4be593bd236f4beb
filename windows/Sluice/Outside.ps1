# What reaches outside: files, the log, native programs, HTTP, WSL, this PC's address.

function Get-Settings {
    # settings.json of this installation.
    [CmdletBinding()]
    param([string] $Root)
    $file = Join-Path $Root 'settings.json'
    if (-not (Test-Path -LiteralPath $file)) { throw "$file is missing: run install.ps1 first, or name the folder with -Root." }
    $settings = Get-Content -LiteralPath $file -Raw | ConvertFrom-Json
    $problem = Get-SettingsProblem -Settings $settings
    if ($problem -ne '') { throw "${file}: $problem" }
    return $settings
}

function Read-StateFile {
    # The text of a small file, whatever its encoding's mark says; $null where it is missing. Others may write, replace
    # or delete it meanwhile; one that somebody has locked is tried for a fifth of a second, since the router asks with
    # half a second's patience.
    [CmdletBinding()]
    param([string] $Path)
    $share = [System.IO.FileShare]::ReadWrite -bor [System.IO.FileShare]::Delete
    $attempt = 0
    while ($true) {
        $attempt++
        $stream = $null
        try {
            if (-not [System.IO.File]::Exists($Path)) { return $null }
            $stream = New-Object System.IO.FileStream($Path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, $share)
            $reader = New-Object System.IO.StreamReader($stream)
            return $reader.ReadToEnd()
        } catch {
            if ($attempt -ge 10) { throw }
            Start-Sleep -Milliseconds 20
        } finally {
            if ($null -ne $stream) { $stream.Dispose() }
        }
    }
}

function Write-StateFile {
    # Replaces a file whole: whoever reads sees the old text or the new one, never half of one.
    [CmdletBinding()]
    param([string] $Path, [string] $Text)
    $fresh = "$Path.new"
    [System.IO.File]::WriteAllText($fresh, "$Text`r`n")
    $attempt = 0
    while ($true) {
        $attempt++
        try {
            if ([System.IO.File]::Exists($Path)) {
                [System.IO.File]::Replace($fresh, $Path, "$Path.old", $true)
            } else {
                [System.IO.File]::Move($fresh, $Path)
            }
            return
        } catch {
            if ($attempt -ge 50) { throw }
            Start-Sleep -Milliseconds 20
        }
    }
}

function Remove-StateFile {
    # Removes a file; one that is missing is no error.
    [CmdletBinding()]
    param([string] $Path)
    [System.IO.File]::Delete($Path)
}

function Enter-Lock {
    # Holds a file open for itself alone, so that two runs do not mix; waits for another one's end. Dispose it to let go.
    [CmdletBinding()]
    param([string] $Path, [int] $Seconds)
    $until = [DateTime]::UtcNow.AddSeconds($Seconds)
    while ($true) {
        try {
            return New-Object System.IO.FileStream($Path, [System.IO.FileMode]::OpenOrCreate, [System.IO.FileAccess]::ReadWrite, [System.IO.FileShare]::None)
        } catch {
            if ([DateTime]::UtcNow -gt $until) { throw "another set-mode.ps1 is at work ($Path is in use): $($_.Exception.Message)" }
            Start-Sleep -Milliseconds 200
        }
    }
}

function Write-Log {
    # A line with its time. Past a megabyte the file becomes FILE.1, that one FILE.2; three are kept in all. A log that
    # cannot be written stops nothing.
    [CmdletBinding()]
    param([string] $Path, [string] $Message)
    try {
        if ([System.IO.File]::Exists($Path) -and (New-Object System.IO.FileInfo($Path)).Length -gt 1048576) {
            [System.IO.File]::Delete("$Path.2")
            if ([System.IO.File]::Exists("$Path.1")) { [System.IO.File]::Move("$Path.1", "$Path.2") }
            [System.IO.File]::Move($Path, "$Path.1")
        }
        $time = [DateTime]::UtcNow.ToString('yyyy-MM-ddTHH:mm:ssZ')
        [System.IO.File]::AppendAllText($Path, "$time $Message`r`n")
    } catch {
        Write-Warning "cannot write ${Path}: $($_.Exception.Message)"
    }
}

function Invoke-Native {
    # Runs a program: its exit code and all its lines. A program never throws by itself, and Windows PowerShell would
    # take its first line on standard error for a failure while errors stop the script.
    [CmdletBinding()]
    param([string] $File, [string[]] $Arguments)
    $ErrorActionPreference = 'Continue'
    try {
        $lines = @(& $File @Arguments 2>&1 | ForEach-Object { [string]$_ })
        return @{ Code = $LASTEXITCODE; Lines = $lines }
    } catch {
        return @{ Code = 127; Lines = @("$File cannot be run: $($_.Exception.Message)") }
    }
}

function Invoke-Http {
    # One request without a proxy between; Status 0 and the reason where there was no answer.
    [CmdletBinding()]
    param([string] $Method, [string] $Url, [string] $Body, [string] $Token, [int] $Seconds)
    Add-Type -AssemblyName System.Net.Http
    $handler = New-Object System.Net.Http.HttpClientHandler
    $handler.UseProxy = $false
    $client = New-Object System.Net.Http.HttpClient($handler)
    try {
        $client.Timeout = [TimeSpan]::FromSeconds($Seconds)
        $client.DefaultRequestHeaders.ExpectContinue = $false
        $request = New-Object System.Net.Http.HttpRequestMessage((New-Object System.Net.Http.HttpMethod($Method)), $Url)
        if ($Token -ne '') { [void]$request.Headers.TryAddWithoutValidation('Authorization', "Bearer $Token") }
        if ($Body -ne '') {
            $request.Content = New-Object System.Net.Http.StringContent($Body, [System.Text.Encoding]::UTF8, 'application/json')
        }
        $answer = $client.SendAsync($request).GetAwaiter().GetResult()
        return @{ Status = [int]$answer.StatusCode; Text = $answer.Content.ReadAsStringAsync().GetAwaiter().GetResult() }
    } catch {
        return @{ Status = 0; Text = $_.Exception.Message }
    } finally {
        $client.Dispose()
    }
}

function ConvertFrom-JsonOrNull {
    # JSON as an object; $null for anything else.
    [CmdletBinding()]
    param([AllowEmptyString()] [string] $Text)
    try { return ($Text | ConvertFrom-Json) } catch { return $null }
}

function Get-ModelEntry {
    # What sluice adds to a model in its list: backend, available, reason. $null where it is none of that.
    [CmdletBinding()]
    param([AllowEmptyString()] [string] $Text)
    try { return (ConvertFrom-JsonOrNull -Text $Text).sluice } catch { return $null }
}

function Get-LanAddress {
    # This PC's own address towards the router: what the system would send from. Nothing is sent. '' where there is no way.
    [CmdletBinding()]
    param([string] $RouterAddress)
    $socket = New-Object System.Net.Sockets.UdpClient
    try {
        $socket.Connect($RouterAddress, 9)
        $address = $socket.Client.LocalEndPoint.Address.ToString()
        if (Test-UsableAddress -Address $address) { return $address }
        return ''
    } catch {
        return ''
    } finally {
        $socket.Dispose()
    }
}

function Invoke-Wsl {
    # Runs a program inside the distribution, without a shell between.
    [CmdletBinding()]
    param([string] $Distribution, [string[]] $Arguments)
    # Without it wsl.exe's own messages come as UTF-16.
    $env:WSL_UTF8 = '1'
    return Invoke-Native -File 'wsl.exe' -Arguments (@('--distribution', $Distribution, '--exec') + $Arguments)
}

function Test-WslRuns {
    # Whether the distribution runs; asking does not start it.
    [CmdletBinding()]
    param([string] $Distribution)
    $env:WSL_UTF8 = '1'
    $listed = Invoke-Native -File 'wsl.exe' -Arguments @('--list', '--running', '--quiet')
    return (Test-DistributionRuns -Distribution $Distribution -Lines $listed.Lines)
}

function Get-PortproxyRules {
    # The rules that stand now.
    $shown = Invoke-Native -File 'netsh.exe' -Arguments @('interface', 'portproxy', 'show', 'v4tov4')
    if ($shown.Code -ne 0) { throw "netsh cannot show the portproxy rules: $($shown.Lines -join ' ')" }
    return @(ConvertFrom-PortproxyTable -Lines $shown.Lines)
}

function Get-WantedRule {
    # The rule that has to stand now; $null while this PC or WSL has no address.
    [CmdletBinding()]
    param($Settings)
    $listen = [string]$Settings.listenAddress
    if ($listen -eq '') { $listen = Get-LanAddress -RouterAddress $Settings.router }
    $route = Invoke-Wsl -Distribution $Settings.distribution -Arguments @('ip', '-4', 'route', 'get', $Settings.router)
    $connect = ConvertFrom-RouteLine -Lines $route.Lines
    if ($listen -eq '' -or $connect -eq '') { return $null }
    return @{ ListenAddress = $listen; ListenPort = [int]$Settings.listenPort
        ConnectAddress = $connect; ConnectPort = [int]$Settings.connectPort }
}

function Get-NetworkingMode {
    # nat, mirrored, ... of the distribution.
    [CmdletBinding()]
    param([string] $Distribution)
    $asked = Invoke-Wsl -Distribution $Distribution -Arguments @('wslinfo', '--networking-mode')
    return ConvertFrom-NetworkingMode -Code $asked.Code -Lines $asked.Lines
}
